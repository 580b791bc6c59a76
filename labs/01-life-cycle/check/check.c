/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 1. The linker has Glasshouse call __wrap_NAME instead of NAME: each of these
 * calls the function, and looks at what it has done. Tests 1 and 2 come first, because these
 * functions need no CPU to be right.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "labs/01-life-cycle/check/vmx_raw.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "seed.h"
#include "vmm/room.h"
#include "vmm/vmx/vmcs_text.h"
#include "vmm/vmx/vmx.h"

enum test {
	TEST_CONTROLS = 1,
	TEST_FEATURE_CONTROL,
	TEST_VMXON,
	TEST_VMCS_LOAD,
	TEST_VM_ENTER,
	TEST_GUEST, /* the guest's own results */
	TEST_VMXOFF
};

#define ROUNDS 1000

int __real_vmx_hardware_setup(void), __wrap_vmx_hardware_setup(void);
int __real_cpu_vmxon(u64 vmxon_pointer), __wrap_cpu_vmxon(u64 vmxon_pointer);
int __real_vmcs_load(u64 pa), __wrap_vmcs_load(u64 pa);
int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);
void __real_cpu_vmxoff(u64 pa), __wrap_cpu_vmxoff(u64 pa);

/* ---- 1: adjust_vmx_controls() ---- */

static const char *wrong_controls(u32 min, u32 opt, u32 must, u32 may)
{
	u32 result = 0xdeadbeef, asked = min | opt;
	int r = adjust_vmx_controls(min, opt, (u64)may << 32 | must, &result);
	const char *why = NULL;

	if (must & ~result)
		why = "a bit that must be 1 is 0";
	else if (result & ~may)
		why = "a bit that must be 0 is 1";
	else if (asked & may & ~result)
		why = "a bit of min or opt that may be 1 is 0";
	else if (result & ~must & ~asked)
		why = "a bit is 1 that nobody has asked for, and that may be 0";
	else if (r != (min & ~may ? -EOPNOTSUPP : 0))
		why = "the value that it returns: -EOPNOTSUPP if a bit of min must be 0, otherwise "
		      "0";
	if (why)
		pr_info("# adjust_vmx_controls(min 0x%x, opt 0x%x, capability 0x%lx) returned %d, "
			"*result 0x%x\n",
			min, opt, (u64)may << 32 | must, r, result);
	return why;
}

static const char *check_controls(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		u32 must = (u32)(lab_random() & lab_random());
		u32 may = (u32)lab_random() | must;
		u32 min = (u32)(lab_random() & lab_random() & (i % 2 ? may : ~0u));

		why = wrong_controls(min, (u32)lab_random(), must, may);
	}
	return why;
}

/* ---- 2: vmx_lock_feature_control() ---- */

/* IA32_FEATURE_CONTROL of a machine that raises #GP for the bits in @refused. */
static struct {
	u64 value, refused;
	bool wrong_msr;
} fake;

static int fake_wrmsr(u32 msr, u64 value)
{
	if (msr != MSR_IA32_FEAT_CTL) {
		fake.wrong_msr = true;
		return -EIO;
	}
	if (fake.value & FEAT_CTL_LOCKED || value & fake.refused)
		return -EIO;
	fake.value = value;
	return 0;
}

/* The value that IA32_FEATURE_CONTROL must have afterwards. */
static u64 locked_value(u64 before, bool sgx, bool sgx_lc, u64 refused)
{
	u64 vmx = before | FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	u64 all = vmx | (sgx ? FEAT_CTL_SGX_ENABLED : 0) |
		  (sgx && sgx_lc ? FEAT_CTL_SGX_LC_ENABLED : 0);

	if (!(all & refused))
		return all;
	return vmx & refused ? before : vmx;
}

static const char *wrong_lock(u64 before, bool sgx, bool sgx_lc, u64 refused)
{
	struct vmx_capability cap = {.feature_control = before};
	u64 wanted = locked_value(before, sgx, sgx_lc, refused);
	const char *why = NULL;
	bool r;

	fake.value = before;
	fake.refused = refused;
	r = vmx_lock_feature_control(&cap, sgx, sgx_lc, fake_wrmsr);
	if (fake.wrong_msr)
		why = "it has written to another MSR";
	else if (wanted & ~fake.value)
		why = "a bit of IA32_FEATURE_CONTROL is 0 that must be 1";
	else if (fake.value & ~wanted)
		why = "a bit of IA32_FEATURE_CONTROL is 1 that must be 0";
	else if (cap.feature_control != fake.value)
		why = "cap->feature_control is not what the MSR has";
	else if (r != (fake.value != before))
		why = "the value that it returns: false if the CPU has refused all, otherwise true";
	if (why)
		pr_info("# IA32_FEATURE_CONTROL 0x%lx, SGX %d, its launch control %d, a CPU that "
			"refuses "
			"the bits 0x%lx: the MSR is 0x%lx, it must be 0x%lx\n",
			before, sgx, sgx_lc, refused, fake.value, wanted);
	return why;
}

static const char *check_feature_control(void)
{
	static const u64 refusals[] = {0, 0, FEAT_CTL_SGX_ENABLED, FEAT_CTL_SGX_LC_ENABLED, ~0ull};
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		u64 random = lab_random();
		u64 before = random & (FEAT_CTL_LMCE_ENABLED | FEAT_CTL_VMX_ENABLED_INSIDE_SMX);

		why = wrong_lock(before, random & BIT(40), random & BIT(41),
				 refusals[i % ARRAY_SIZE(refusals)]);
	}
	return why;
}

int __wrap_vmx_hardware_setup(void)
{
	lab_result(TEST_CONTROLS, check_controls());
	lab_result(TEST_FEATURE_CONTROL, check_feature_control());
	return __real_vmx_hardware_setup();
}

/* ---- 3: cpu_vmxon() ---- */

static const char *wrong_vmxon(int r)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	if (r)
		return "cpu_vmxon() has returned an error";
	if (!(cr4 & CR4_VMXE))
		return "CR4.VMXE is 0";
	if (vmx_capability.cr0_fixed0 & ~cr0 || vmx_capability.cr4_fixed0 & ~cr4)
		return "a bit of CR0 or CR4 is 0 that VMX operation fixes to 1";
	if (cr4 & CR4_DE)
		return "a bit of CR4 is 1 that VMX operation fixes to 0: vmx_capability.cr4_fixed1";
	if (current_vmcs() != ~0ull)
		return "there is a current VMCS already";
	return NULL;
}

/* CR0.NE, which must be 1, is 0 before. No CPU fixes CR4.DE to 0: meanwhile vmx_capability says
 * that this one does. */
int __wrap_cpu_vmxon(u64 vmxon_pointer)
{
	u64 fixed1 = vmx_capability.cr4_fixed1, de = read_cr4() & CR4_DE;
	int r;

	write_cr0(read_cr0() & ~CR0_NE);
	write_cr4(read_cr4() | CR4_DE);
	vmx_capability.cr4_fixed1 &= ~CR4_DE;
	r = __real_cpu_vmxon(vmxon_pointer);
	lab_result(TEST_VMXON, wrong_vmxon(r));
	vmx_capability.cr4_fixed1 = fixed1;
	write_cr4((read_cr4() & ~CR4_DE) | de);
	write_cr0(read_cr0() | CR0_NE);
	return r;
}

/* ---- 4: vmcs_load() ---- */

/* Fill the VMCS with what memory may have contained, or with 0; its revision stays. */
static void fill_vmcs(u64 pa, int byte)
{
	memset(phys_to_virt(pa + 8), byte, PAGE_SIZE - 8);
}

static const char *wrong_vmcs_load(u64 pa)
{
	int r = __real_vmcs_load(pa);

	if (r)
		return "vmcs_load() has returned an error";
	if (current_vmcs() != pa)
		return "another VMCS than pa is the current one";
	if (!vmcs_is_clear())
		return "VMLAUNCH would find the VMCS not clear: its memory held something before";
	return NULL;
}

/* VMPTRLD refuses a VMCS of another revision, and both instructions the VMXON region. */
static const char *wrong_error(u64 pa)
{
	u32 *revision = phys_to_virt(pa);
	int r;

	*revision ^= 1;
	r = __real_vmcs_load(pa);
	*revision ^= 1;
	if (!r)
		return "vmcs_load() returns 0, although VMPTRLD has failed: another revision";
	if (!__real_vmcs_load(virt_to_phys(this_cpu()->virt_area)))
		return "vmcs_load() returns 0, although VMCLEAR has failed: the VMXON region";
	return NULL;
}

int __wrap_vmcs_load(u64 pa)
{
	const char *why;

	fill_vmcs(pa, 0xff);
	why = wrong_vmcs_load(pa) ?: wrong_error(pa);
	lab_result(TEST_VMCS_LOAD, why);
	if (current_vmcs() == pa)
		vmclear(pa);
	fill_vmcs(pa, 0);
	return __real_vmcs_load(pa);
}

/* ---- 5: vm_enter ---- */

int __wrap_vmx_handle_exit(struct vcpu *vcpu)
{
	static unsigned exits;

	if (++exits == 2)
		lab_result(TEST_VM_ENTER,
			   vmread(VM_INSTRUCTION_ERROR) == VMXERR_VMRESUME_NONLAUNCHED_VMCS
				   ? NULL
				   : "VMRESUME must come first: VMLAUNCH has failed at "
				     "the second entry");
	return __real_vmx_handle_exit(vcpu);
}

/* ---- 7: cpu_vmxoff() ---- */

/* Leave VMX operation without a VMCS. A VMCLEAR of address 0 would change the memory there: with
 * Bochs, which watches a place behind, the first bytes. */
static const char *wrong_without_vmcs(void)
{
	u8 saved[64], *memory = phys_to_virt(0);
	bool same = true;

	memcpy(saved, memory, sizeof(saved));
	memset(memory, 0xff, sizeof(saved));
	__real_cpu_vmxoff(0);
	for (unsigned i = 0; i < sizeof(saved); i++)
		same &= memory[i] == 0xff;
	memcpy(memory, saved, sizeof(saved));
	if (read_cr4() & CR4_VMXE)
		return "CR4.VMXE is still 1 after cpu_vmxoff(0)";
	return same ? NULL : "VMCLEAR of address 0: there is no VMCS if pa is 0";
}

/* Enter VMX operation once more to look whether the VMCS has been cleared, and leave it. */
static const char *wrong_vmcs(u64 pa)
{
	bool clear;

	write_cr4(read_cr4() | CR4_VMXE);
	if (vmxon(virt_to_phys(this_cpu()->virt_area)))
		return "VMXON fails afterwards";
	if (vmptrld(pa))
		return "VMPTRLD fails afterwards";
	clear = vmcs_is_clear();
	vmclear(pa);
	if (clear)
		return wrong_without_vmcs();
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	return "the VMCS has not been cleared: the CPU may still keep parts of it";
}

void __wrap_cpu_vmxoff(u64 pa)
{
	__real_cpu_vmxoff(pa);
	if (read_cr4() & CR4_VMXE)
		lab_result(TEST_VMXOFF, "CR4.VMXE is still 1");
	else
		lab_result(TEST_VMXOFF, pa ? wrong_vmcs(pa) : NULL);
}

/* ---- The broken VMCSs ---- */

static const struct {
	const char *field;
	u64 flip;
} broken[] = {LAB_BROKEN_FIELDS};

/* Right before the guest's first instruction: break the VMCS for good; or, in turn, in each way, to
 * print what the answers must be. */
static void break_vmcs(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(broken); i++) {
		u64 field = vmcs_field_by_name(broken[i].field)->encoding, value = vmread(field);
		char key[16];

		if (LAB_BROKEN && LAB_BROKEN != i + 1)
			continue;
		vmwrite(field, value ^ broken[i].flip);
		if (LAB_BROKEN)
			return;
		snprintf(key, sizeof(key), "broken-%u", i + 1);
		lab_key(key, "%lx", value);
		vmx_entry_failure_report();
		vmwrite(field, value);
	}
}

ROOM(.name = "lab", .enter = break_vmcs);
