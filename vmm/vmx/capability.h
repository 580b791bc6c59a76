/* SPDX-License-Identifier: MIT */
/*
 * The VMX capabilities of a CPU, and the controls for VM 0 computed from them. Pure. Source: Intel
 * SDM volume 3, appendix "VMX Capability Reporting Facility".
 */
#ifndef GH_VMM_VMX_CAPABILITY_H
#define GH_VMM_VMX_CAPABILITY_H

#include "types.h"
#include "arch/x86/vmx.h"

/* The words of control bits. */
enum vmx_word {
	VMX_ALWAYS, /* no word: for VMCS fields that every CPU has */
	VMX_PIN,
	VMX_PROC,
	VMX_PROC2,
	VMX_PROC3,
	VMX_EXIT,
	VMX_EXIT2,
	VMX_ENTRY,
	VMX_VMFUNC,
	NR_VMX_WORDS
};

/* A CPU's capabilities, as values of the MSRs; 0 for an MSR that the CPU does not have. */
struct vmx_capability {
	bool cpuid_vmx;      /* CPUID.1:ECX[5]; the caller fills it in */
	u8 phys_bits;        /* MAXPHYADDR, CPUID.80000008H:EAX[7:0]; the caller fills it in */
	u64 feature_control; /* IA32_FEATURE_CONTROL; unlocked only if it cannot be written */
	u64 basic;
	/*
	 * Indexed by enum vmx_word. 32-bit words: the low half has the bits that must be 1, the
	 * high half those that may be 1 (from the TRUE MSRs if IA32_VMX_BASIC[55] is set). PROC3,
	 * EXIT2 and VMFUNC: 64 bits that may be 1.
	 */
	u64 ctl[NR_VMX_WORDS];
	u64 misc;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 ept_vpid;
};

/* The configuration that all CPUs use. */
struct vmcs_config {
	u32 revision; /* for the first word of VMXON regions and VMCSs */
	u32 pin_based_exec_ctrl;
	u32 cpu_based_exec_ctrl;
	u32 cpu_based_2nd_exec_ctrl;
	u32 vmexit_ctrl;
	u32 vmentry_ctrl;
	const char *no_ept; /* why EPT is not used: "ept=off" or what the CPU lacks; NULL: it is */
	bool has_ept;       /* and unrestricted guest; else shadow page tables are used */
	bool has_secondary; /* the secondary controls exist */
	bool has_efer;      /* entries and exits switch IA32_EFER; always with has_ept */
	bool has_vpid;      /* VPIDs, and single- or all-context INVVPID */
	bool has_pat;       /* entries and exits switch IA32_PAT */
	bool has_bndcfgs;   /* and IA32_BNDCFGS */
	bool has_cet;       /* and IA32_S_CET, SSP, IA32_INTERRUPT_SSP_TABLE_ADDR */
	bool has_pkrs;      /* and IA32_PKRS */
	bool has_preemption_timer; /* the control may be set */
	bool has_wait_sipi;        /* activity state wait-for-SIPI */
	bool has_ept_1g, has_ept_2m, has_ept_ad, has_ept_exec_only;
	bool has_invept_single, has_invept_all;
	bool has_invvpid_single, has_invvpid_all;
};

/* How Glasshouse uses a control. */
enum vmx_policy {
	POLICY_REQUIRED,         /* always set; a CPU without it is refused */
	POLICY_OPTIONAL,         /* set if the CPU supports it */
	POLICY_DYNAMIC_REQUIRED, /* set while needed; a CPU without it is refused */
	POLICY_DYNAMIC,          /* set while needed, if the CPU supports it */
	POLICY_ON_DEMAND,        /* set while somebody asks for it and all CPUs support it */
	POLICY_SHADOW,           /* always set and required without EPT; with it POLICY_ON_DEMAND */
	POLICY_UNUSED,           /* must be 0 */
};

struct vmx_control {
	u8 word;   /* enum vmx_word */
	u8 policy; /* enum vmx_policy */
	u64 bit;   /* the mask in the word */
	const char *name;
	/* The consequence of its absence; "": none; NULL: not vmx_is_used(). */
	const char *loss;
};

/* All controls of the SDM, from controls.def. */
extern const struct vmx_control vmx_controls[];
extern const unsigned vmx_control_count;

/* Returns the SDM's name of @word, such as "pin-based VM-execution controls". Never NULL. */
const char *vmx_word_name(enum vmx_word word);

/* Returns @policy in a word or two. Never NULL. */
const char *vmx_policy_name(enum vmx_policy policy);

/* Return the bits of @word that may be 1 (allowed1), and those that must be 1 (allowed0). */
u64 vmx_allowed1(const struct vmx_capability *cap, enum vmx_word word);
u64 vmx_allowed0(const struct vmx_capability *cap, enum vmx_word word);

/* Is the control part of the configuration that all CPUs need alike? */
static inline bool vmx_is_used(const struct vmx_control *c)
{
	return c->policy < POLICY_ON_DEMAND;
}

/* Does a CPU with @cap support the control @c? */
static inline bool vmx_can(const struct vmx_capability *cap, const struct vmx_control *c)
{
	return vmx_allowed1(cap, (enum vmx_word)c->word) & c->bit;
}

/*
 * Read this CPU's capabilities into @cap, except cpuid_vmx and phys_bits, which are not changed.
 * @rdmsr_safe: reads an MSR; returns 0 and *@val, or a negative error if the CPU lacks the MSR.
 */
void vmx_capability_read(struct vmx_capability *cap, int (*rdmsr_safe)(u32 msr, u64 *val));

/*
 * Write to IA32_FEATURE_CONTROL, which is unlocked, by @wrmsr_safe: the lock, for the guest cannot
 * set it later; VMXON; what firmware has set (LMCE); and what an OS would set itself if it found
 * the register unlocked: SGX and its launch control, where CPUID has them (@sgx, @sgx_lc). A CPU
 * that refuses these two gets the others. Updates cap->feature_control. Returns false if the CPU
 * refuses all. (adjust.c)
 */
bool vmx_lock_feature_control(struct vmx_capability *cap, bool sgx, bool sgx_lc,
			      int (*wrmsr_safe)(u32 msr, u64 value));

/*
 * Compute a 32-bit word of controls into *@result: the bits of @min and @opt that the CPU supports,
 * and the bits that it forces to 1. @capability: an element of vmx_capability.ctl. Returns 0, or
 * -EOPNOTSUPP if a bit of @min is missing. (adjust.c)
 */
int adjust_vmx_controls(u32 min, u32 opt, u64 capability, u32 *result);

/*
 * Compute the controls for VM 0 from the table of controls into @out. @use_ept: use EPT if the CPU
 * has it and all that belongs to it. Returns 0, or -EOPNOTSUPP if the CPU lacks a required feature
 * or forces an unused one; all of these are logged, and @out must not be used.
 */
int setup_vmcs_config(const struct vmx_capability *cap, bool use_ept, struct vmcs_config *out);

/* Returns the value from which the VMX-preemption timer counts down to 0 in @ticks of the
 * time-stamp counter: 1 or more. SDM: "VMX-Preemption Timer". */
u32 vmx_timer_value(const struct vmx_capability *cap, u64 ticks);

/*
 * Check that CPU number @cpu, with the capabilities @other, can use the configuration that was
 * computed from @boot, those of the boot CPU. Returns 0, or -EOPNOTSUPP; each difference that
 * matters is logged.
 */
int vmx_capability_compare(const struct vmx_capability *boot, const struct vmx_capability *other,
			   unsigned cpu);

/* Take from @boot the controls of POLICY_ON_DEMAND and POLICY_SHADOW that a CPU with @other lacks.
 */
void vmx_capability_restrict(struct vmx_capability *boot, const struct vmx_capability *other);

#endif
