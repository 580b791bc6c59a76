/* SPDX-License-Identifier: MIT */
/*
 * vmm/vmx/capability and vmm/vmx/ready: the VMX controls chosen from a CPU's MSRs, the report, and
 * the comparison of CPUs; on every model of Bochs and on CPUs that lack one feature.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/vmx_models.h"
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "vmm/vmx/capability.h"
#include "vmm/vmx/ready.h"

static const struct vmx_model *model; /* whose MSRs model_rdmsr() returns */

static int model_rdmsr(u32 msr, u64 *val)
{
	if (msr == MSR_IA32_FEAT_CTL) {
		*val = model->feature_control;
		return 0;
	}
	assert_in_range(msr, MSR_IA32_VMX_BASIC, MSR_IA32_VMX_BASIC + 19);
	*val = model->vmx[msr - MSR_IA32_VMX_BASIC];
	return *val == NO_MSR ? -EIO : 0;
}

static struct vmx_capability capability_of(const char *name)
{
	struct vmx_capability cap;

	memset(&cap, 0x5a, sizeof(cap));
	cap.cpuid_vmx = true;
	cap.phys_bits = 40;
	for (model = vmx_models; strcmp(model->name, name) != 0; model++)
		assert_true(model < vmx_models + NR_VMX_MODELS - 1);
	vmx_capability_read(&cap, model_rdmsr);
	return cap;
}

/* SDM: "VMX Capability Reporting Facility": allowed-0 bits are set, others only if allowed-1. */
static void assert_allowed(const struct vmx_capability *cap, enum vmx_word word, u64 value)
{
	assert_int_equal(value & ~vmx_allowed1(cap, word), 0);
	assert_int_equal(vmx_allowed0(cap, word) & ~value, 0);
}

static void table_is_well_formed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];

		assert_true(c->bit && (c->bit & (c->bit - 1)) == 0);
		for (unsigned k = 0; k < i; k++)
			assert_false(vmx_controls[k].word == c->word &&
				     vmx_controls[k].bit == c->bit);
		assert_int_equal(!vmx_is_used(c), c->loss == NULL);
		/* "Lacks     name: loss" is one line of the report. */
		if (c->loss)
			assert_true(12 + strlen(c->name) + 2 + strlen(c->loss) <= 90);
	}
}

/* By which tables, and with which controls. Without EPT, accesses to CR3 and INVLPG exit. */
static void check_config(const struct vmx_capability *cap, const struct vmcs_config *c, bool ept)
{
	const u32 shadow =
		CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING | CPU_BASED_INVLPG_EXITING;

	assert_string_equal(log_text(), "");
	assert_allowed(cap, VMX_PIN, c->pin_based_exec_ctrl);
	assert_allowed(cap, VMX_PROC, c->cpu_based_exec_ctrl);
	assert_allowed(cap, VMX_PROC2, c->cpu_based_2nd_exec_ctrl);
	assert_allowed(cap, VMX_EXIT, c->vmexit_ctrl);
	assert_allowed(cap, VMX_ENTRY, c->vmentry_ctrl);
	assert_true(c->has_wait_sipi && c->has_secondary);
	assert_int_equal(c->has_ept, ept);
	assert_true(c->has_ept_2m);
	assert_false(!ept && (c->has_invept_all || c->has_invept_single || c->has_cet));
	assert_int_equal(!c->no_ept, ept);
	assert_int_equal(c->cpu_based_exec_ctrl & shadow, ept ? 0 : shadow);
	assert_int_equal(c->cpu_based_2nd_exec_ctrl &
				 (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST),
			 ept ? SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST : 0);
}

static void every_model_is_ready(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NR_VMX_MODELS; i++) {
		struct vmx_capability cap = capability_of(vmx_models[i].name);
		bool old = vmx_models[i].vmx[0xc] == NO_MSR; /* without EPT and VPID */
		bool ept = !old && strcmp(vmx_models[i].name, "corei5_lynnfield_750") != 0;
		struct vmcs_config c;

		log_clear();
		assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
		check_config(&cap, &c, ept);
		assert_true(old || (c.has_vpid && c.has_pat && c.has_ept_2m && c.has_efer));
		assert_false(old && (c.has_vpid || c.has_pat || c.has_efer));
		assert_int_equal(setup_vmcs_config(&cap, false, &c), 0);
		check_config(&cap, &c, false);
		assert_string_equal(c.no_ept, "ept=off");
		assert_true(old || (c.has_vpid && c.has_efer));
	}
}

/* The controls for Skylake-X in Bochs, written by hand. */
static void skylake_controls_are_exact(void **state)
{
	struct vmx_capability cap = capability_of("corei7_skylake_x");
	struct vmcs_config c;

	(void)state;
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_int_equal(c.revision, 0x2b);
	/* default 1 bits 1, 2, 4; NMI exiting (3), virtual NMIs (5) */
	assert_int_equal(c.pin_based_exec_ctrl, 0x3e);
	/* default 1 bits without CR3 exiting; I/O bitmaps (25), MSR bitmaps (28), secondary (31) */
	assert_int_equal(c.cpu_based_exec_ctrl, 0x04006172u | 1u << 25 | 1u << 28 | 1u << 31);
	/* EPT, RDTSCP, VPID, unrestricted guest, INVPCID, XSAVES */
	assert_int_equal(c.cpu_based_2nd_exec_ctrl, 0x2u | 0x8 | 0x20 | 0x80 | 0x1000 | 0x100000);
	/* default 1, save debug (2), host 64 (9), save and load PAT and EFER (18-21) */
	assert_int_equal(c.vmexit_ctrl, 0x36dfb | 4 | 0x200 | 0x3c0000);
	/* default 1, load debug (2), load PAT (14), load EFER (15); IA-32e mode is set per guest */
	assert_int_equal(c.vmentry_ctrl, 0x11fb | 4 | 0xc000);
	assert_true(c.has_ept && c.has_ept_1g && c.has_ept_ad && c.has_ept_exec_only);
	assert_true(c.has_invept_single && c.has_invept_all && c.has_invvpid_single);
	assert_true(c.has_preemption_timer && !c.has_cet);
}

static void poor_models_lose_only_what_they_lack(void **state)
{
	struct vmx_capability cap = capability_of("corei5_lynnfield_750");
	struct vmcs_config c;

	(void)state;
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_false(c.has_ept || c.has_invept_all || c.has_ept_ad);
	assert_string_equal(c.no_ept, "unrestricted guest");
	cap = capability_of("core2_penryn_t9600");
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_false(c.has_ept || c.has_efer || c.has_pat || c.has_vpid);
	assert_string_equal(c.no_ept, "EPT");
	cap = capability_of("corei5_arrandale_m520");
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_true(c.has_ept);
	cap = capability_of("tigerlake");
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_true(c.has_cet);
	assert_int_equal(c.revision, 4);
}

/* Remove one control at a time: setup fails and reports it if it is required, else it succeeds. */
static void missing_required_controls_are_named(void **state)
{
	struct vmcs_config c;
	char text[200];

	(void)state;
	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *k = &vmx_controls[i];
		struct vmx_capability cap = capability_of("corei7_skylake_x");

		if (k->policy == POLICY_UNUSED)
			continue;
		cap.ctl[k->word] &= ~(k->bit << 32 | k->bit);
		log_clear();
		if (k->policy == POLICY_REQUIRED || k->policy == POLICY_DYNAMIC_REQUIRED) {
			assert_int_equal(setup_vmcs_config(&cap, true, &c), -EOPNOTSUPP);
			snprintf(text, sizeof(text), "MISSING   \"%s\" (%s)", k->name,
				 vmx_word_name((enum vmx_word)k->word));
			assert_true(log_has(text));
		} else {
			assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
			assert_string_equal(log_text(), "");
		}
	}
}

static void forced_controls_are_refused(void **state)
{
	struct vmx_capability cap = capability_of("corei7_skylake_x");
	struct vmcs_config c;

	(void)state;
	cap.ctl[VMX_PROC] |= CPU_BASED_RDTSC_EXITING;
	log_clear();
	assert_int_equal(setup_vmcs_config(&cap, true, &c), -EOPNOTSUPP);
	assert_true(log_has("FORCED    \"RDTSC exiting\""));
	/* CPUs without the TRUE MSRs always exit at CR3 loads. */
	cap = capability_of("corei7_skylake_x");
	cap.ctl[VMX_PROC] |= CPU_BASED_CR3_LOAD_EXITING;
	log_clear();
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	check_config(&cap, &c, false);
	assert_string_equal(c.no_ept, "guests whose accesses to CR3 do not exit");
}

static void dependencies_are_honoured(void **state)
{
	struct vmx_capability cap = capability_of("tigerlake");
	struct vmcs_config c;

	(void)state;
	cap.ctl[VMX_EXIT] &= ~(VM_EXIT_SAVE_IA32_PAT << 32);
	cap.ctl[VMX_ENTRY] &= ~(VM_ENTRY_LOAD_CET_STATE << 32);
	cap.ctl[VMX_EXIT] |= VM_EXIT_LOAD_PKRS << 32;
	cap.ept_vpid &= ~VMX_VPID_INVVPID_BIT;
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_false(c.has_pat || c.has_cet || c.has_pkrs || c.has_vpid || c.has_invvpid_all);
	assert_int_equal(c.vmexit_ctrl & (VM_EXIT_LOAD_IA32_PAT | VM_EXIT_LOAD_CET_STATE |
					  VM_EXIT_LOAD_PKRS),
			 0);
	assert_int_equal(c.vmentry_ctrl & VM_ENTRY_LOAD_IA32_PAT, 0);
	assert_int_equal(c.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_VPID, 0);

	/* EPT without features that Glasshouse's tables need. */
	cap = capability_of("tigerlake");
	cap.ept_vpid &= ~(VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT);
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_string_equal(c.no_ept, "INVEPT");
	assert_false(c.has_ept);
	cap.ept_vpid &= ~VMX_EPTP_WB_BIT;
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_string_equal(c.no_ept, "EPT tables in write-back memory");
	cap.ept_vpid &= ~VMX_EPT_PAGE_WALK_4_BIT;
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_string_equal(c.no_ept, "EPT tables of 4 levels");

	/* The controls of IA32_EFER: all or none, and EPT needs them. */
	cap = capability_of("tigerlake");
	cap.ctl[VMX_ENTRY] &= ~(VM_ENTRY_LOAD_IA32_EFER << 32);
	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_false(c.has_ept || c.has_efer);
	assert_int_equal(c.vmexit_ctrl & (VM_EXIT_SAVE_IA32_EFER | VM_EXIT_LOAD_IA32_EFER), 0);
}

static void adjust_sets_what_it_can_and_must(void **state)
{
	u32 v;

	(void)state;
	/* must 0x10; may 0x1f */
	assert_int_equal(adjust_vmx_controls(0x8, 0x20, 0x0000001f00000010, &v), 0);
	assert_int_equal(v, 0x18);
	assert_int_equal(adjust_vmx_controls(0x28, 0, 0x0000001700000010, &v), -EOPNOTSUPP);
	assert_int_equal(v, 0x10);
}

/* Lines have at most 90 columns. A report without problems (@well) has at most 22 lines and 1,600
 * characters. */
static void assert_report_is_short(bool well)
{
	unsigned lines = 0;
	size_t longest = 0;
	const char *s = log_text(), *e;

	for (; *s; s = e + 1, lines++) {
		e = strchr(s, '\n');
		assert_non_null(e);
		longest = MAX(longest, (size_t)(e - s));
	}
	assert_in_range(lines, 3, well ? 22 : 25);
	assert_in_range(longest, 20, 90);
	if (well)
		assert_true(strlen(log_text()) < 1600);
}

static void report_says_yes(void **state)
{
	struct vmcs_config c;

	(void)state;
	for (unsigned i = 0; i < 2 * NR_VMX_MODELS; i++) {
		const char *name = vmx_models[i / 2].name;
		struct vmx_capability cap = capability_of(name);

		log_clear();
		assert_int_equal(ready_report(&cap, i % 2, &c, name, 3), 0);
		assert_true(log_has("Ready? CPU 3: "));
		assert_true(log_has("Ready     yes"));
		assert_int_equal(log_has("  EPT       4 KiB pages"), c.has_ept);
		assert_int_equal(log_has("Memory    shadow page tables"), !c.has_ept);
		assert_int_equal(log_has("as ept=off asks for"), !(i % 2));
		assert_report_is_short(true);
	}
}

static void report_says_what_is_off(void **state)
{
	struct vmx_capability cap = capability_of("corei7_skylake_x");
	struct vmcs_config c;

	(void)state;
	/* Glasshouse has written the register before this: still unlocked means that it cannot be
	 * written. */
	for (u64 fc = 0; fc <= 4; fc += 4) {
		cap.feature_control = fc;
		log_clear();
		assert_int_equal(ready_report(&cap, true, &c, NULL, 0), -ENODEV);
		assert_true(log_has("is unlocked, but a write"));
		assert_true(log_has("Ready     NO"));
	}
	for (u64 fc = 1; fc <= 3; fc += 2) {
		cap.feature_control = fc;
		log_clear();
		assert_int_equal(ready_report(&cap, true, &c, "x", 0), -ENODEV);
		assert_true(log_has("VT-x      is off in the firmware: IA32_FEATURE_CONTROL (0x"));
		assert_true(log_has("Ready     NO"));
	}
	cap.cpuid_vmx = false;
	log_clear();
	assert_int_equal(ready_report(&cap, true, &c, "x", 0), -ENODEV);
	assert_true(log_has("VT-x      none"));
	cap = capability_of("corei5_lynnfield_750");
	log_clear();
	assert_int_equal(ready_report(&cap, true, &c, "x", 0), 0);
	assert_true(log_has("Lacks     unrestricted guest: page faults and changes of page tables "
			    "exit"));
	assert_true(log_has("Memory    shadow page tables: the CPU lacks unrestricted guest"));
	assert_true(log_has("Page faults and changes of page tables exit."));
}

/* What only some CPUs can do on demand, none is asked to do. */
static void on_demand_needs_all_cpus(void **state)
{
	struct vmx_capability boot = capability_of("tigerlake"), cap = boot;

	(void)state;
	vmx_capability_restrict(&boot, &cap);
	assert_memory_equal(&boot, &cap, sizeof(cap));
	cap.ctl[VMX_PROC] &= ~(CPU_BASED_MONITOR_TRAP_FLAG << 32 | CPU_BASED_HLT_EXITING << 32);
	log_clear();
	assert_int_equal(vmx_capability_compare(&boot, &cap, 3), 0);
	vmx_capability_restrict(&boot, &cap);
	assert_false(vmx_allowed1(&boot, VMX_PROC) & CPU_BASED_MONITOR_TRAP_FLAG);
	assert_true(vmx_allowed1(&boot, VMX_PIN) & PIN_BASED_EXT_INTR_MASK);
	assert_string_equal(log_text(), "");
}

static void other_cpus_are_compared(void **state)
{
	const struct vmx_capability boot = capability_of("corei7_skylake_x");
	struct vmx_capability cap = boot;

	(void)state;
	log_clear();
	assert_int_equal(vmx_capability_compare(&boot, &cap, 3), 0);
	/* Additional features are accepted, and so are missing ones that Glasshouse does not use.
	 */
	cap.ctl[VMX_PROC2] |= SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE << 32;
	cap.ctl[VMX_PROC2] &= ~(SECONDARY_EXEC_ENABLE_PML << 32);
	assert_int_equal(vmx_capability_compare(&boot, &cap, 3), 0);
	assert_string_equal(log_text(), "");

#define DIFFERS(change, text)                                                          \
	do {                                                                           \
		cap = boot;                                                            \
		change;                                                                \
		log_clear();                                                           \
		assert_int_equal(vmx_capability_compare(&boot, &cap, 3), -EOPNOTSUPP); \
		assert_true(log_has(text));                                            \
	} while (0)
	DIFFERS(cap.ctl[VMX_PROC2] &= ~(SECONDARY_EXEC_ENABLE_VPID << 32),
		"CPU 3 lacks \"enable VPID\"");
	DIFFERS(cap.ctl[VMX_PROC] |= CPU_BASED_HLT_EXITING, "CPU 3 forces \"HLT exiting\"");
	DIFFERS(cap.basic ^= 1, "VMCS formats differ");
	DIFFERS(cap.ept_vpid &= ~VMX_EPT_1GB_PAGE_BIT, "CPU 3 lacks bits 0x20000 of IA32_VMX_EPT");
	DIFFERS(cap.misc &= ~VMX_MISC_ACTIVITY_WAIT_SIPI,
		"CPU 3 lacks bits 0x100 of IA32_VMX_MISC");
	DIFFERS(cap.cr4_fixed0 |= 1, "IA32_VMX_CR4_FIXED0");
	DIFFERS(cap.cr4_fixed1 &= ~1ull, "IA32_VMX_CR4_FIXED1");
	DIFFERS(cap.cr0_fixed0 |= 2, "IA32_VMX_CR0_FIXED0");
	DIFFERS(cap.cr0_fixed1 &= ~2ull, "IA32_VMX_CR0_FIXED1");
	DIFFERS(cap.phys_bits = 39, "39 physical-address bits");
	DIFFERS(cap.feature_control = 1, "no VT-x, or it is off (IA32_FEATURE_CONTROL 0x1)");
	DIFFERS(cap.feature_control = 4, "no VT-x, or it is off (IA32_FEATURE_CONTROL 0x4)");
	DIFFERS(cap.cpuid_vmx = false, "no VT-x");
}

/* LMCE is the firmware's to allow; SGX an OS allows itself, if it may. */
static u64 written, refused;

static int write_msr(u32 msr, u64 value)
{
	assert_int_equal(msr, MSR_IA32_FEAT_CTL);
	if (value & refused)
		return -EIO;
	written = value;
	return 0;
}

/* What is in IA32_FEATURE_CONTROL after it held @value. */
static u64 locked(u64 value, bool sgx, bool sgx_lc)
{
	struct vmx_capability cap = {.feature_control = value};

	bool done;

	written = 0;
	done = vmx_lock_feature_control(&cap, sgx, sgx_lc, write_msr);
	assert_int_equal(done, written != 0);
	assert_true(cap.feature_control == (written ? written : value));
	return written;
}

static void what_we_lock_leaves_nothing_out(void **state)
{
	const u64 vmx = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;

	(void)state;
	refused = 0;
	assert_true(locked(0, false, false) == vmx);
	assert_true(locked(FEAT_CTL_LMCE_ENABLED, false, false) == (vmx | FEAT_CTL_LMCE_ENABLED));
	assert_true(locked(0, true, false) == (vmx | FEAT_CTL_SGX_ENABLED));
	assert_true(locked(0, true, true) ==
		    (vmx | FEAT_CTL_SGX_ENABLED | FEAT_CTL_SGX_LC_ENABLED));
	assert_true(locked(0, false, true) == vmx);
}

static void without_sgx_the_rest_is_locked(void **state)
{
	const u64 vmx = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;

	(void)state;
	refused = FEAT_CTL_SGX_ENABLED | FEAT_CTL_SGX_LC_ENABLED;
	assert_true(locked(FEAT_CTL_LMCE_ENABLED, true, true) == (vmx | FEAT_CTL_LMCE_ENABLED));
	refused = FEAT_CTL_LOCKED;
	assert_true(locked(0, true, true) == 0);
	assert_true(locked(0, false, false) == 0);
}

static void timer_counts_at_its_rate(void **state)
{
	struct vmx_capability cap = {.misc = 0x7004c1e0}; /* rate 0 */

	(void)state;
	assert_int_equal(vmx_timer_value(&cap, 500000), 500000);
	assert_int_equal(vmx_timer_value(&cap, 1ull << 40), 0xffffffff);
	cap.misc |= 5;
	assert_int_equal(vmx_timer_value(&cap, 3200), 100);
	assert_int_equal(vmx_timer_value(&cap, 31), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_counts_at_its_rate),
		cmocka_unit_test(table_is_well_formed),
		cmocka_unit_test(every_model_is_ready),
		cmocka_unit_test(what_we_lock_leaves_nothing_out),
		cmocka_unit_test(without_sgx_the_rest_is_locked),
		cmocka_unit_test(skylake_controls_are_exact),
		cmocka_unit_test(poor_models_lose_only_what_they_lack),
		cmocka_unit_test(missing_required_controls_are_named),
		cmocka_unit_test(forced_controls_are_refused),
		cmocka_unit_test(dependencies_are_honoured),
		cmocka_unit_test(adjust_sets_what_it_can_and_must),
		cmocka_unit_test(report_says_yes),
		cmocka_unit_test(report_says_what_is_off),
		cmocka_unit_test(other_cpus_are_compared),
		cmocka_unit_test(on_demand_needs_all_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
