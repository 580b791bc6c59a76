/* SPDX-License-Identifier: MIT */
/*
 * What VT-x of a CPU can do, and the controls that follow from it for VM 0.
 * Source: Intel SDM volume 3, appendix "VMX Capability Reporting Facility".
 */
#ifndef GH_VMM_VMX_CAPABILITY_H
#define GH_VMM_VMX_CAPABILITY_H

#include "types.h"
#include "arch/x86/vmx.h"

/* The words of control bits. */
enum vmx_word {
	VMX_ALWAYS, /* no word: for fields that every CPU has */
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

/* A CPU's capabilities, as raw MSR values; an MSR that the CPU does not have is 0. */
struct vmx_capability {
	bool cpuid_vmx;      /* CPUID.1:ECX[5]; the caller's to fill in */
	u8 phys_bits;        /* MAXPHYADDR, CPUID.80000008H:EAX[7:0]; the caller's to fill in */
	u64 feature_control; /* IA32_FEATURE_CONTROL, unlocked only where it cannot be written */
	u64 basic;
	/*
	 * The words, indexed by enum vmx_word. 32-bit words: low half what must be 1, high half
	 * what may be 1 (the TRUE MSRs where IA32_VMX_BASIC[55] is set). PROC3, EXIT2 and VMFUNC:
	 * 64 bits that may be 1.
	 */
	u64 ctl[NR_VMX_WORDS];
	u64 misc;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 ept_vpid;
};

/* What all CPUs run with. */
struct vmcs_config {
	u32 revision; /* for the first word of VMXON regions and VMCSs */
	u32 pin_based_exec_ctrl;
	u32 cpu_based_exec_ctrl;
	u32 cpu_based_2nd_exec_ctrl;
	u32 vmexit_ctrl;
	u32 vmentry_ctrl;
	bool has_unrestricted_guest;
	bool has_vpid;             /* and INVVPID can be told to forget one context or all */
	bool has_pat;              /* IA32_PAT is switched at entries and exits */
	bool has_bndcfgs;          /* likewise IA32_BNDCFGS */
	bool has_cet;              /* likewise S_CET, SSP, INTERRUPT_SSP_TABLE */
	bool has_pkrs;             /* likewise IA32_PKRS */
	bool has_preemption_timer; /* may be switched on */
	bool has_wait_sipi;        /* activity state wait-for-SIPI */
	bool has_ept_1g, has_ept_2m, has_ept_ad, has_ept_exec_only;
	bool has_invept_single, has_invept_all;
	bool has_invvpid_single, has_invvpid_all;
};

/* What we wish of a control. */
enum vmx_wish {
	WISH_REQUIRED,         /* set; nothing works without */
	WISH_OPTIONAL,         /* set where the CPU can */
	WISH_DYNAMIC_REQUIRED, /* the CPU must be able to; set while needed */
	WISH_DYNAMIC,          /* used while needed, where the CPU can */
	WISH_UNUSED,           /* must stay 0 */
};

struct vmx_control {
	u8 word; /* enum vmx_word */
	u8 wish; /* enum vmx_wish */
	u64 bit; /* the mask */
	const char *name;
	const char *loss; /* without it; "" for nothing; NULL with WISH_UNUSED */
};

/* Every control that the SDM names, from controls.def. */
extern const struct vmx_control vmx_controls[];
extern const unsigned vmx_control_count;

/* The SDM's name for a word: "pin-based VM-execution controls". */
const char *vmx_word_name(enum vmx_word word);

/* Bits of @word that may be 1, that must be 1. */
u64 vmx_allowed1(const struct vmx_capability *cap, enum vmx_word word);
u64 vmx_allowed0(const struct vmx_capability *cap, enum vmx_word word);

/* May the control be 1? */
static inline bool vmx_can(const struct vmx_capability *cap, const struct vmx_control *c)
{
	return vmx_allowed1(cap, (enum vmx_word)c->word) & c->bit;
}

/*
 * Read this CPU's capabilities, except cpuid_vmx and phys_bits, which are left as they are.
 * @rdmsr_safe: 0 and *@val, or negative when the CPU has no such MSR.
 */
void vmx_capability_read(struct vmx_capability *cap, int (*rdmsr_safe)(u32 msr, u64 *val));

/*
 * Compute one word of controls: @min and @opt as far as the CPU can, and what the CPU demands.
 * @capability: low half what must be 1, high half what may be 1. Returns 0 and *@result, or
 * -EOPNOTSUPP, with each bit of @min that is missing, and each unused one that is forced, named on
 * the log.
 */
int adjust_vmx_controls(enum vmx_word word, u32 min, u32 opt, u64 capability, u32 *result);

/*
 * Compute the controls for VM 0 from the table of wishes. Names on the log all that is required and
 * missing, not only the first. Returns 0, or -EOPNOTSUPP (@out is then of no use).
 */
int setup_vmcs_config(const struct vmx_capability *cap, struct vmcs_config *out);

/*
 * Whether the CPU number @cpu with @other can run with the controls computed for the boot CPU.
 * Names each difference that matters. Returns 0, or -EOPNOTSUPP.
 */
int vmx_capability_compare(const struct vmx_capability *boot, const struct vmx_capability *other,
			   unsigned cpu);

#endif
