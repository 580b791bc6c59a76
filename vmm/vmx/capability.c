/* SPDX-License-Identifier: MIT */
/*
 * VMX capabilities, and the controls computed from them. See capability.h.
 */
#include "vmm/vmx/capability.h"
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/steps.h"

const struct vmx_control vmx_controls[] = {
#define VMX_CONTROL(word, bit, name, policy, loss) {VMX_##word, POLICY_##policy, bit, name, loss},
#include "vmm/vmx/controls.def"
#undef VMX_CONTROL
};

const unsigned vmx_control_count = ARRAY_SIZE(vmx_controls);

const char *vmx_policy_name(enum vmx_policy policy)
{
	static const char *const names[] = {
		[POLICY_REQUIRED] = "required",
		[POLICY_OPTIONAL] = "optional",
		[POLICY_DYNAMIC_REQUIRED] = "required, while needed",
		[POLICY_DYNAMIC] = "optional, while needed",
		[POLICY_ON_DEMAND] = "on demand",
		[POLICY_SHADOW] = "on demand; required without EPT",
		[POLICY_UNUSED] = "unused",
	};

	return names[policy];
}

const char *vmx_word_name(enum vmx_word word)
{
	static const char *const names[NR_VMX_WORDS] = {
		[VMX_ALWAYS] = "none",
		[VMX_PIN] = "pin-based VM-execution controls",
		[VMX_PROC] = "primary processor-based VM-execution controls",
		[VMX_PROC2] = "secondary processor-based VM-execution controls",
		[VMX_PROC3] = "tertiary processor-based VM-execution controls",
		[VMX_EXIT] = "VM-exit controls",
		[VMX_EXIT2] = "secondary VM-exit controls",
		[VMX_ENTRY] = "VM-entry controls",
		[VMX_VMFUNC] = "VM-function controls",
	};

	return (unsigned)word < NR_VMX_WORDS ? names[word] : "unknown controls";
}

/* Words whose capability MSR only has the bits that may be 1. */
static bool word_is_64bit(enum vmx_word word)
{
	return word == VMX_PROC3 || word == VMX_EXIT2 || word == VMX_VMFUNC;
}

u64 vmx_allowed1(const struct vmx_capability *cap, enum vmx_word word)
{
	return word_is_64bit(word) ? cap->ctl[word] : cap->ctl[word] >> 32;
}

u64 vmx_allowed0(const struct vmx_capability *cap, enum vmx_word word)
{
	return word_is_64bit(word) ? 0 : cap->ctl[word] & 0xffffffff;
}

static u64 read_or_0(int (*rdmsr_safe)(u32 msr, u64 *val), u32 msr)
{
	u64 val = 0;

	return rdmsr_safe(msr, &val) ? 0 : val;
}

void vmx_capability_read(struct vmx_capability *cap, int (*rdmsr_safe)(u32 msr, u64 *val))
{
	u64 *ctl = cap->ctl;
	bool t;

	cap->feature_control = read_or_0(rdmsr_safe, MSR_IA32_FEAT_CTL);
	cap->basic = read_or_0(rdmsr_safe, MSR_IA32_VMX_BASIC);
	cap->misc = read_or_0(rdmsr_safe, MSR_IA32_VMX_MISC);
	cap->cr0_fixed0 = read_or_0(rdmsr_safe, MSR_IA32_VMX_CR0_FIXED0);
	cap->cr0_fixed1 = read_or_0(rdmsr_safe, MSR_IA32_VMX_CR0_FIXED1);
	cap->cr4_fixed0 = read_or_0(rdmsr_safe, MSR_IA32_VMX_CR4_FIXED0);
	cap->cr4_fixed1 = read_or_0(rdmsr_safe, MSR_IA32_VMX_CR4_FIXED1);

	/* The TRUE MSRs also show which bits of the old "default 1" class may be 0. */
	t = cap->basic & VMX_BASIC_TRUE_CTLS;
	for (unsigned i = 0; i < NR_VMX_WORDS; i++)
		ctl[i] = 0;
	ctl[VMX_PIN] = read_or_0(rdmsr_safe,
				 t ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS);
	ctl[VMX_PROC] = read_or_0(rdmsr_safe, t ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS
						: MSR_IA32_VMX_PROCBASED_CTLS);
	ctl[VMX_EXIT] =
		read_or_0(rdmsr_safe, t ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS);
	ctl[VMX_ENTRY] =
		read_or_0(rdmsr_safe, t ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);

	/* These MSRs exist only if the control that enables their feature may be 1. */
	if (vmx_allowed1(cap, VMX_PROC) & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		ctl[VMX_PROC2] = read_or_0(rdmsr_safe, MSR_IA32_VMX_PROCBASED_CTLS2);
	if (vmx_allowed1(cap, VMX_PROC) & CPU_BASED_ACTIVATE_TERTIARY_CONTROLS)
		ctl[VMX_PROC3] = read_or_0(rdmsr_safe, MSR_IA32_VMX_PROCBASED_CTLS3);
	if (vmx_allowed1(cap, VMX_EXIT) & VM_EXIT_ACTIVATE_SECONDARY_CONTROLS)
		ctl[VMX_EXIT2] = read_or_0(rdmsr_safe, MSR_IA32_VMX_EXIT_CTLS2);
	if (vmx_allowed1(cap, VMX_PROC2) & SECONDARY_EXEC_ENABLE_VMFUNC)
		ctl[VMX_VMFUNC] = read_or_0(rdmsr_safe, MSR_IA32_VMX_VMFUNC);
	cap->ept_vpid = 0;
	if (vmx_allowed1(cap, VMX_PROC2) & (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		cap->ept_vpid = read_or_0(rdmsr_safe, MSR_IA32_VMX_EPT_VPID_CAP);
}

/* Print the controls of @word that a CPU with @capability lacks, of those in @min, and those that
 * it forces although they are in neither @min nor @opt. Returns 0, or -EOPNOTSUPP if there are any.
 */
static int name_problems(enum vmx_word word, u32 min, u32 opt, u64 capability)
{
	u32 must = (u32)capability, may = (u32)(capability >> 32);
	const struct vmx_control *c;
	int ret = 0;

	for (unsigned i = 0; i < vmx_control_count; i++) {
		c = &vmx_controls[i];
		if (c->word != word)
			continue;
		if (c->bit & min & ~may) {
			pr_err("  MISSING   \"%s\" (%s): without it\n            %s\n", c->name,
			       vmx_word_name(word), c->loss ? c->loss : "nothing runs");
			ret = -EOPNOTSUPP;
		}
		if (c->bit & must & ~(min | opt)) {
			pr_err("  FORCED    \"%s\" (%s):\n            it must be off for the "
			       "guest\n",
			       c->name, vmx_word_name(word));
			ret = -EOPNOTSUPP;
		}
	}
	return ret;
}

/* Compute one word from the table of controls: set the required and optional bits, only check the
 * dynamic ones. */
static int setup_word(const struct vmx_capability *cap, enum vmx_word word, bool ept, u32 *result)
{
	u32 min = 0, opt = 0, dynamic = 0;
	int ret;

	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];

		if (c->word != word)
			continue;
		if (c->policy == POLICY_REQUIRED || c->policy == POLICY_DYNAMIC_REQUIRED ||
		    (c->policy == POLICY_SHADOW && !ept))
			min |= (u32)c->bit;
		if (c->policy == POLICY_OPTIONAL)
			opt |= (u32)c->bit;
		if (c->policy == POLICY_DYNAMIC_REQUIRED)
			dynamic |= (u32)c->bit;
	}
	ret = adjust_vmx_controls(min, opt, cap->ctl[word], result);
	if (name_problems(word, min, opt, cap->ctl[word]))
		ret = -EOPNOTSUPP;
	*result &= ~dynamic | (u32)vmx_allowed0(cap, word);
	return ret;
}

/*
 * Why can EPT not be used? Returns what the CPU lacks; NULL: it can. Without unrestricted guest,
 * real mode needs shadow page tables anyway, so they are used for all.
 */
static const char *why_no_ept(const struct vmx_capability *cap)
{
	static const struct {
		u64 any_of;
		const char *what;
	} needs[] = {
		{VMX_EPT_PAGE_WALK_4_BIT, "EPT tables of 4 levels"},
		{VMX_EPTP_WB_BIT, "EPT tables in write-back memory"},
		{VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT, "INVEPT"},
	};
	u64 proc2 = vmx_allowed1(cap, VMX_PROC2), exit = vmx_allowed1(cap, VMX_EXIT);

	if (!(proc2 & SECONDARY_EXEC_ENABLE_EPT))
		return "EPT";
	if (!(proc2 & SECONDARY_EXEC_UNRESTRICTED_GUEST))
		return "unrestricted guest";
	if (~exit & (VM_EXIT_SAVE_IA32_EFER | VM_EXIT_LOAD_IA32_EFER) ||
	    !(vmx_allowed1(cap, VMX_ENTRY) & VM_ENTRY_LOAD_IA32_EFER))
		return "a control for IA32_EFER";
	if (vmx_allowed0(cap, VMX_PROC) &
	    (CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING))
		return "guests whose accesses to CR3 do not exit";
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (!(cap->ept_vpid & needs[i].any_of))
			return needs[i].what;
	return NULL;
}

/* If several controls together switch some state, use all of them or none. Returns true for all. */
static bool keep_all_or_none(u32 *exit, u32 exit_bits, u32 *entry, u32 entry_bits)
{
	if ((*exit & exit_bits) == exit_bits && (*entry & entry_bits) == entry_bits)
		return true;
	*exit &= ~exit_bits;
	*entry &= ~entry_bits;
	return false;
}

/* Clear controls whose dependencies on others or on capabilities are not met. */
static void apply_dependencies(const struct vmx_capability *cap, struct vmcs_config *out)
{
	u32 *exit = &out->vmexit_ctrl, *entry = &out->vmentry_ctrl;

	out->has_pat = keep_all_or_none(exit, VM_EXIT_SAVE_IA32_PAT | VM_EXIT_LOAD_IA32_PAT, entry,
					VM_ENTRY_LOAD_IA32_PAT);
	out->has_bndcfgs =
		keep_all_or_none(exit, VM_EXIT_CLEAR_BNDCFGS, entry, VM_ENTRY_LOAD_BNDCFGS);
	/* Shadow entries do not tell pages of shadow stacks. */
	if (!out->has_ept)
		*entry &= ~(u32)VM_ENTRY_LOAD_CET_STATE;
	out->has_cet =
		keep_all_or_none(exit, VM_EXIT_LOAD_CET_STATE, entry, VM_ENTRY_LOAD_CET_STATE);

	out->has_pkrs = keep_all_or_none(exit, VM_EXIT_LOAD_PKRS, entry, VM_ENTRY_LOAD_PKRS);

	/* Without INVVPID, translations tagged with a VPID could not be invalidated: do not use it.
	 */
	out->has_invvpid_single = (cap->ept_vpid & VMX_VPID_INVVPID_BIT) &&
				  (cap->ept_vpid & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT);
	out->has_invvpid_all = (cap->ept_vpid & VMX_VPID_INVVPID_BIT) &&
			       (cap->ept_vpid & VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT);
	if (!out->has_invvpid_single && !out->has_invvpid_all)
		out->cpu_based_2nd_exec_ctrl &= ~(u32)SECONDARY_EXEC_ENABLE_VPID;
	out->has_vpid = out->cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_VPID;
	out->has_secondary = out->cpu_based_exec_ctrl & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS;
	out->has_efer = keep_all_or_none(exit, VM_EXIT_SAVE_IA32_EFER | VM_EXIT_LOAD_IA32_EFER,
					 entry, VM_ENTRY_LOAD_IA32_EFER);
	if (!out->has_ept)
		out->cpu_based_2nd_exec_ctrl &=
			~(u32)(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST);
}

int setup_vmcs_config(const struct vmx_capability *cap, bool use_ept, struct vmcs_config *out)
{
	struct vmcs_config c = {.no_ept = use_ept ? why_no_ept(cap) : "ept=off"};
	int ret = 0;

	STEP_ONCE(vmcs_config);
	c.has_ept = !c.no_ept;
	/* Continue after a failure, so that the user sees all missing controls. */
	ret |= setup_word(cap, VMX_PIN, c.has_ept, &c.pin_based_exec_ctrl);
	ret |= setup_word(cap, VMX_PROC, c.has_ept, &c.cpu_based_exec_ctrl);
	ret |= setup_word(cap, VMX_PROC2, c.has_ept, &c.cpu_based_2nd_exec_ctrl);
	ret |= setup_word(cap, VMX_EXIT, c.has_ept, &c.vmexit_ctrl);
	ret |= setup_word(cap, VMX_ENTRY, c.has_ept, &c.vmentry_ctrl);

	c.revision = VMX_BASIC_REVISION(cap->basic);
	apply_dependencies(cap, &c);
	c.has_preemption_timer = vmx_allowed1(cap, VMX_PIN) & PIN_BASED_VMX_PREEMPTION_TIMER;
	c.has_wait_sipi = cap->misc & VMX_MISC_ACTIVITY_WAIT_SIPI;
	/* Without EPT, the tables are Glasshouse's only. */
	c.has_ept_1g = !c.has_ept || cap->ept_vpid & VMX_EPT_1GB_PAGE_BIT;
	c.has_ept_2m = !c.has_ept || cap->ept_vpid & VMX_EPT_2MB_PAGE_BIT;
	c.has_ept_ad = cap->ept_vpid & VMX_EPT_AD_BIT;
	c.has_ept_exec_only = cap->ept_vpid & VMX_EPT_EXECUTE_ONLY_BIT;
	c.has_invept_single = c.has_ept && cap->ept_vpid & VMX_EPT_EXTENT_CONTEXT_BIT;
	c.has_invept_all = c.has_ept && cap->ept_vpid & VMX_EPT_EXTENT_GLOBAL_BIT;
	*out = c;
	return ret ? -EOPNOTSUPP : 0;
}

u32 vmx_timer_value(const struct vmx_capability *cap, u64 ticks)
{
	u64 value = ticks >> (cap->misc & VMX_MISC_PREEMPTION_TIMER_RATE_MASK);

	return (u32)MIN(MAX(value, 1), 0xffffffffull);
}

/* Log the controls that Glasshouse uses and that differ between the CPUs. Returns their number. */
static unsigned compare_controls(const struct vmx_capability *boot,
				 const struct vmx_capability *other, unsigned cpu)
{
	unsigned lacks = 0;

	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];
		enum vmx_word word = (enum vmx_word)c->word;

		if (vmx_is_used(c) && vmx_can(boot, c) && !vmx_can(other, c)) {
			pr_err("CPU %u lacks \"%s\" (%s), which the boot CPU has\n", cpu, c->name,
			       vmx_word_name(word));
			lacks++;
		}
		if (vmx_allowed0(other, word) & ~vmx_allowed0(boot, word) & c->bit) {
			pr_err("CPU %u forces \"%s\" on (%s), which the boot CPU does not\n", cpu,
			       c->name, vmx_word_name(word));
			lacks++;
		}
	}
	return lacks;
}

/* Log the bits of @boot that @other lacks. Returns 1 if there are any, else 0. */
static unsigned compare_bits(const char *what, u64 boot, u64 other, unsigned cpu)
{
	if ((boot & ~other) == 0)
		return 0;
	pr_err("CPU %u lacks bits 0x%lx of %s, which the boot CPU has\n", cpu, boot & ~other, what);
	return 1;
}

int vmx_capability_compare(const struct vmx_capability *boot, const struct vmx_capability *other,
			   unsigned cpu)
{
	const u64 on = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	/* The features that the EPT code and the invalidations use. */
	const u64 ept_used = VMX_EPT_EXECUTE_ONLY_BIT | VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT |
			     VMX_EPT_2MB_PAGE_BIT | VMX_EPT_1GB_PAGE_BIT | VMX_EPT_AD_BIT |
			     VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT |
			     VMX_VPID_INVVPID_BIT | VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT |
			     VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT;
	/* Revision, size and memory type of the regions. */
	const u64 basic_used = GENMASK(44, 0) | GENMASK(53, 50);
	unsigned differences = 0;

	if (!other->cpuid_vmx || (other->feature_control & on) != on) {
		pr_err("CPU %u has no VT-x, or it is off (IA32_FEATURE_CONTROL 0x%lx), unlike on "
		       "the boot CPU: a defect of the firmware; look for an update\n",
		       cpu, other->feature_control);
		return -EOPNOTSUPP;
	}
	if ((boot->basic ^ other->basic) & basic_used) {
		pr_err("CPU %u has IA32_VMX_BASIC 0x%lx, the boot CPU 0x%lx: VMCS formats differ\n",
		       cpu, other->basic, boot->basic);
		differences++;
	}
	if (other->phys_bits < boot->phys_bits) {
		pr_err("CPU %u has %u physical-address bits, the boot CPU %u\n", cpu,
		       other->phys_bits, boot->phys_bits);
		differences++;
	}
	differences += compare_controls(boot, other, cpu);
	differences += compare_bits("IA32_VMX_EPT_VPID_CAP", boot->ept_vpid & ept_used,
				    other->ept_vpid, cpu);
	differences += compare_bits("IA32_VMX_MISC", boot->misc & VMX_MISC_ACTIVITY_WAIT_SIPI,
				    other->misc, cpu);
	/* FIXED0: a bit that must be 1 on @other must also be on @boot. FIXED1: a bit that may be 1
	 * on @boot must also be allowed on @other. */
	differences += compare_bits("IA32_VMX_CR0_FIXED0, inverted", ~boot->cr0_fixed0,
				    ~other->cr0_fixed0, cpu);
	differences += compare_bits("IA32_VMX_CR4_FIXED0, inverted", ~boot->cr4_fixed0,
				    ~other->cr4_fixed0, cpu);
	differences +=
		compare_bits("IA32_VMX_CR0_FIXED1", boot->cr0_fixed1, other->cr0_fixed1, cpu);
	differences +=
		compare_bits("IA32_VMX_CR4_FIXED1", boot->cr4_fixed1, other->cr4_fixed1, cpu);
	return differences ? -EOPNOTSUPP : 0;
}

void vmx_capability_restrict(struct vmx_capability *boot, const struct vmx_capability *other)
{
	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];

		/* These are of 32-bit words: the bits that may be 1 are in the high half. */
		if ((c->policy == POLICY_ON_DEMAND || c->policy == POLICY_SHADOW) &&
		    !vmx_can(other, c))
			__atomic_and_fetch(&boot->ctl[c->word], ~(c->bit << 32), __ATOMIC_ACQ_REL);
	}
}
