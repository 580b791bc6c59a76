// SPDX-License-Identifier: MIT
/*
 * RDMSR and WRMSR. SDM: "Model-Specific Registers (MSRs)", "RDMSR", "WRMSR".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"

#define NON_CANONICAL      0x8000000000000000ull
#define PAT_AFTER_POWER_UP 0x0007040600070406ull

static u64 try_rdmsr(u32 msr, u64 *value)
{
	u32 low = 0, high = 0;
	u64 vector = TRY("rdmsr", : "+a"(low), "+d"(high) : "c"(msr) : "r11", "memory");

	*value = (u64)high << 32 | low;
	return vector;
}

static u64 try_wrmsr(u32 msr, u64 value)
{
	return TRY("wrmsr",
		   :
		   : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32))
		   : "r11", "memory");
}

/* @msr keeps @value, which is written to it. */
static void must_keep(unsigned cpu, const char *name, u32 msr, u64 value)
{
	u64 old, now;

	if (try_rdmsr(msr, &old) != NO_TRAP) {
		skip("no such MSR", "cpu %u: %s keeps what is written", cpu, name);
		return;
	}
	ok(try_wrmsr(msr, value) == NO_TRAP && try_rdmsr(msr, &now) == NO_TRAP && now == value,
	   "cpu %u: %s keeps what is written", cpu, name);
	try_wrmsr(msr, old);
}

static void check_vmx_msrs(unsigned cpu)
{
	u64 value;
	bool all = true;

	if (!under_hypervisor) {
		skip("no hypervisor", "cpu %u: reading a VMX MSR is #GP", cpu);
		skip("no hypervisor", "cpu %u: IA32_FEATURE_CONTROL allows no VMX", cpu);
	} else {
		for (u32 msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_EXIT_CTLS2; msr++)
			all &= try_rdmsr(msr, &value) == GP_VECTOR;
		ok(all, "cpu %u: reading a VMX MSR is #GP", cpu);
		ok(try_rdmsr(MSR_IA32_FEAT_CTL, &value) == GP_VECTOR ||
			   (value & 7) == FEAT_CTL_LOCKED,
		   "cpu %u: IA32_FEATURE_CONTROL allows no VMX", cpu);
	}
	all = true;
	for (u32 msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_EXIT_CTLS2; msr++)
		all &= try_wrmsr(msr, 0) == GP_VECTOR;
	ok(all, "cpu %u: writing a VMX MSR is #GP", cpu);
}

/* MSRs of features that Glasshouse does not pass on: FRED, architectural PEBS and LBRs, Intel PT.
 */
static void check_hidden_msrs(unsigned cpu)
{
	static const u32 hidden[] = {
		MSR_IA32_FRED_RSP0,     MSR_IA32_FRED_CONFIG,   MSR_IA32_PEBS_BASE,
		MSR_IA32_PEBS_INDEX,    MSR_IA32_PMC_GP0_CFG_C, MSR_IA32_PMC_GP0_CFG_C + 4,
		MSR_IA32_PMC_FX0_CFG_C, MSR_IA32_LBR_CTL,       MSR_IA32_LBR_DEPTH,
		MSR_IA32_LBR_0_INFO,    MSR_IA32_LBR_0_FROM_IP, MSR_IA32_LBR_0_TO_IP + 31,
		MSR_IA32_RTIT_CTL,      MSR_IA32_BARRIER};
	bool all = true;
	u64 value;

	if (!under_hypervisor) {
		skip("no hypervisor", "cpu %u: MSRs of hidden features are #GP", cpu);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
		all &= try_rdmsr(hidden[i], &value) == GP_VECTOR &&
		       try_wrmsr(hidden[i], 0) == GP_VECTOR;
	ok(all, "cpu %u: MSRs of hidden features are #GP", cpu);
}

/*
 * Paravirtual MSRs, with which KVM would write a clock into Glasshouse's memory: the wall clock and
 * the system time, by their old and their new numbers; with which Hyper-V would put a page there.
 */
static void check_paravirtual_msrs(unsigned cpu)
{
	static const u32 msrs[] = {0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x40000000, 0x40000001};
	bool all = true;
	u64 value;

	if (!under_hypervisor || param("lax")) {
		skip("as on this machine", "cpu %u: paravirtual MSRs are #GP", cpu);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		all &= try_wrmsr(msrs[i], hidden_page(1) | 1) == GP_VECTOR &&
		       try_rdmsr(msrs[i], &value) == GP_VECTOR;
	ok(all, "cpu %u: paravirtual MSRs are #GP", cpu);
}

/* XD cannot be switched off under Glasshouse; not all CPUs have the MSR. */
static void check_misc_enable(unsigned cpu)
{
	u64 value = 0;

	if (!under_hypervisor) {
		skip("no hypervisor", "cpu %u: IA32_MISC_ENABLE leaves XD on", cpu);
		return;
	}
	try_rdmsr(MSR_IA32_MISC_ENABLE, &value);
	try_wrmsr(MSR_IA32_MISC_ENABLE, value | MISC_ENABLE_XD_DISABLE);
	ok(cpuid(0x80000001, 0).edx & BIT(20), "cpu %u: IA32_MISC_ENABLE leaves XD on", cpu);
}

/* Empty updates, which every CPU rejects whatever their header says: the guest gets no fault. */
static void check_microcode(unsigned cpu)
{
	static u32 update[512] __aligned(16);
	u64 data = (u64)update + 48;
	bool all;

	update[0] = 1; /* the header's version, the loader's; the sizes are the default */
	update[5] = 1;
	all = try_wrmsr(MSR_IA32_UCODE_WRITE, data) == NO_TRAP;
	update[7] = 0x7fffffd0;
	update[8] = 0x80000000;
	all &= try_wrmsr(MSR_IA32_UCODE_WRITE, data) == NO_TRAP;
	all &= try_wrmsr(MSR_IA32_UCODE_WRITE, 0x700000000000) == NO_TRAP;
	ok(all, "cpu %u: microcode updates that are none are dropped", cpu);
}

void check_msrs(unsigned cpu)
{
	static const u32 nonsense[] = {0x12345678, 0x1fff,     0x2000,     0x40000000,
				       0xbfffffff, 0xc0001fff, 0xc0002000, 0xffffffff};
	u64 base, value;
	bool all = true;

	check_vmx_msrs(cpu);
	check_hidden_msrs(cpu);
	check_misc_enable(cpu);
	for (unsigned i = 0; i < ARRAY_SIZE(nonsense); i++)
		all &= try_rdmsr(nonsense[i], &value) == GP_VECTOR &&
		       try_wrmsr(nonsense[i], 0) == GP_VECTOR;
	if (param("lax"))
		check_microcode(cpu);
	if (param("lax"))
		skip("this CPU has them all", "cpu %u: MSRs that no CPU has are #GP", cpu);
	else
		ok(all, "cpu %u: MSRs that no CPU has are #GP", cpu);
	check_paravirtual_msrs(cpu);

	must_keep(cpu, "IA32_STAR", MSR_STAR, 0x0023001000000000);
	must_keep(cpu, "IA32_LSTAR", MSR_LSTAR, 0xffffffff81234567);
	must_keep(cpu, "IA32_FMASK", MSR_SYSCALL_MASK, 0x47700);
	must_keep(cpu, "IA32_KERNEL_GS_BASE", MSR_KERNEL_GS_BASE, 0xffff888012345678);
	must_keep(cpu, "IA32_FS_BASE", MSR_FS_BASE, 0x123456789abc);
	must_keep(cpu, "IA32_GS_BASE", MSR_GS_BASE, 0xffff800000000000);
	must_keep(cpu, "IA32_SYSENTER_CS", MSR_IA32_SYSENTER_CS, 0x10);
	must_keep(cpu, "IA32_SYSENTER_ESP", MSR_IA32_SYSENTER_ESP, 0xffff900000001000);
	must_keep(cpu, "IA32_SYSENTER_EIP", MSR_IA32_SYSENTER_EIP, 0xffffffff81000000);
	ok(try_rdmsr(MSR_IA32_CR_PAT, &value) == NO_TRAP && value == PAT_AFTER_POWER_UP,
	   "cpu %u: IA32_PAT has its value after power-up", cpu);
	must_keep(cpu, "IA32_PAT", MSR_IA32_CR_PAT, 0x0007040600070106);
	must_keep(cpu, "IA32_TSC_AUX", MSR_TSC_AUX, 0x1234);
	must_keep(cpu, "IA32_MTRR_PHYSBASE0", MSR_MTRRphysBase0, 0x80000000);

	ok(try_wrmsr(MSR_IA32_CR_PAT, 2) == GP_VECTOR, "cpu %u: a bad type in IA32_PAT is #GP",
	   cpu);
	ok(try_wrmsr(MSR_LSTAR, NON_CANONICAL) == GP_VECTOR,
	   "cpu %u: a non-canonical IA32_LSTAR is #GP", cpu);
	ok(try_wrmsr(MSR_KERNEL_GS_BASE, NON_CANONICAL) == GP_VECTOR,
	   "cpu %u: a non-canonical IA32_KERNEL_GS_BASE is #GP", cpu);
	try_rdmsr(MSR_EFER, &value);
	ok((value & (EFER_LME | EFER_LMA | EFER_NX)) == (EFER_LME | EFER_LMA | EFER_NX),
	   "cpu %u: IA32_EFER has LME, LMA and NXE", cpu);
	ok(try_wrmsr(MSR_EFER, value | BIT(1)) == GP_VECTOR,
	   "cpu %u: a reserved bit of IA32_EFER is #GP", cpu);
	ok(try_wrmsr(MSR_EFER, value & ~EFER_LME) == GP_VECTOR,
	   "cpu %u: clearing LME while paging is #GP", cpu);
	must_keep(cpu, "IA32_EFER", MSR_EFER, value ^ EFER_SCE);
	try_rdmsr(MSR_IA32_APICBASE, &base);
	ok(!(base & APICBASE_BSP) == !!cpu,
	   "cpu %u: IA32_APIC_BASE.BSP is set on the first CPU only", cpu);
	ok(try_wrmsr(MSR_IA32_APICBASE, base | 1) == GP_VECTOR,
	   "cpu %u: a reserved bit of IA32_APIC_BASE is #GP", cpu);
}
