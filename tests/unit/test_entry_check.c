/* SPDX-License-Identifier: MIT */
/*
 * vmm/vmx/entry_check: valid VMCSs of four kinds of guests pass. Then each case breaks one rule of
 * entry_rules.def, which must be reported. A rule that no case breaks fails the test.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/vmx_models.h"
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "report/entry_check.h"
#include "vmm/vmx/vmcs_text.h"

enum base { B64, PAE32, REAL, V86, NR_BASES };

static u64 vmcs[0x7000]; /* by encoding */
static struct vmx_capability cap;

static int tigerlake_rdmsr(u32 msr, u64 *val)
{
	const struct vmx_model *m = vmx_models;

	while (strcmp(m->name, "tigerlake") != 0)
		m++;
	*val = msr == MSR_IA32_FEAT_CTL ? m->feature_control : m->vmx[msr - MSR_IA32_VMX_BASIC];
	return *val == NO_MSR ? -EIO : 0;
}

/* A CPU with every feature that the rules depend on. */
static void make_capability(void)
{
	cap = (struct vmx_capability){.cpuid_vmx = true, .phys_bits = 40};
	vmx_capability_read(&cap, tigerlake_rdmsr);
	cap.basic &= ~VMX_BASIC_NO_HW_ERROR_CODE; /* the stricter rule */
	cap.ctl[VMX_PIN] |= PIN_BASED_POSTED_INTR << 32;
	cap.ctl[VMX_PROC] |= CPU_BASED_ACTIVATE_TERTIARY_CONTROLS << 32;
	cap.ctl[VMX_PROC2] |= (SECONDARY_EXEC_MODE_BASED_EPT_EXEC | SECONDARY_EXEC_PT_USE_GPA)
			      << 32;
	cap.ctl[VMX_PROC3] = TERTIARY_EXEC_IPI_VIRT;
	cap.ctl[VMX_EXIT] |= VM_EXIT_LOAD_PKRS << 32;
	cap.ctl[VMX_ENTRY] |= (VM_ENTRY_LOAD_PKRS | VM_ENTRY_LOAD_BNDCFGS | VM_ENTRY_SMM) << 32;
}

static void set_segment(u64 i, u64 selector, u64 base, u64 limit, u64 ar)
{
	vmcs[GUEST_ES_SELECTOR + 2 * i] = selector;
	vmcs[GUEST_ES_BASE + 2 * i] = base;
	vmcs[GUEST_ES_LIMIT + 2 * i] = limit;
	vmcs[GUEST_ES_AR_BYTES + 2 * i] = ar;
}

/* Set ES, SS, DS, FS and GS to the same, then CS, LDTR and TR. */
static void set_segments(u64 data_selector, u64 base, u64 limit, u64 data_ar, u64 cs_ar)
{
	for (u64 i = 0; i < 6; i++)
		set_segment(i, data_selector, base, limit, data_ar);
	vmcs[GUEST_CS_AR_BYTES] = cs_ar;
	set_segment(6, 0, 0, 0, VMX_AR_UNUSABLE_MASK);
	set_segment(7, 0x20, 0x5000, 0x67, 0x8b);
}

static void make_controls(void)
{
	struct vmcs_config c;

	assert_int_equal(setup_vmcs_config(&cap, true, &c), 0);
	assert_true(c.has_ept && c.has_cet);
	vmcs[PIN_BASED_VM_EXEC_CONTROL] = c.pin_based_exec_ctrl;
	vmcs[CPU_BASED_VM_EXEC_CONTROL] = c.cpu_based_exec_ctrl;
	vmcs[SECONDARY_VM_EXEC_CONTROL] = c.cpu_based_2nd_exec_ctrl;
	vmcs[VM_EXIT_CONTROLS] = c.vmexit_ctrl | VM_EXIT_LOAD_PKRS;
	vmcs[VM_ENTRY_CONTROLS] = c.vmentry_ctrl | VM_ENTRY_LOAD_PKRS | VM_ENTRY_LOAD_BNDCFGS;
	vmcs[IO_BITMAP_A] = 0x10000;
	vmcs[IO_BITMAP_B] = 0x11000;
	vmcs[MSR_BITMAP] = 0x12000;
	vmcs[VIRTUAL_PROCESSOR_ID] = 1;
	vmcs[EPT_POINTER] = 0x13000 | VMX_EPTP_MT_WB | VMX_EPTP_PWL_4 | VMX_EPTP_AD_ENABLE_BIT;
	vmcs[VMCS_LINK_POINTER] = ~0ull;
}

static void make_host(void)
{
	vmcs[HOST_CR0] = 0x80010033;
	vmcs[HOST_CR3] = 0x1000;
	vmcs[HOST_CR4] = 0x2020;
	vmcs[HOST_IA32_EFER] = 0xd00;
	vmcs[HOST_IA32_PAT] = 0x0007040600070406;
	for (u64 f = HOST_ES_SELECTOR; f < HOST_TR_SELECTOR; f += 2)
		vmcs[f] = 0x10;
	vmcs[HOST_CS_SELECTOR] = 8;
	vmcs[HOST_TR_SELECTOR] = 0x18;
	vmcs[HOST_GS_BASE] = 0xffff800000000000;
	vmcs[HOST_RIP] = 0xffffffff80001000;
}

static void make_base(enum base base)
{
	memset(vmcs, 0, sizeof(vmcs));
	make_capability();
	make_controls();
	make_host();
	vmcs[GUEST_IA32_PAT] = 0x0007040600070406;
	vmcs[GUEST_DR7] = 0x400;
	vmcs[GUEST_RFLAGS] = 2;
	vmcs[GUEST_CR3] = 0x2000;
	vmcs[GUEST_GDTR_LIMIT] = vmcs[GUEST_IDTR_LIMIT] = 0xffff;
	vmcs[GUEST_CR0] = 0x80050033;
	vmcs[GUEST_CR4] = 0x2020;
	vmcs[GUEST_RIP] = 0x100000;
	switch (base) {
	case B64:
		vmcs[VM_ENTRY_CONTROLS] |= VM_ENTRY_IA32E_MODE;
		vmcs[GUEST_IA32_EFER] = 0xd01;
		vmcs[GUEST_RIP] = 0xffffffff81000000;
		set_segments(0x18, 0, 0xffffffff, 0xc093, 0xa09b);
		break;
	case PAE32:
		vmcs[GUEST_PDPTR0] = 0x3001;
		set_segments(0x18, 0, 0xffffffff, 0xc093, 0xc09b);
		break;
	case V86:
		vmcs[GUEST_RFLAGS] |= 1 << 17;
		set_segments(0x1000, 0x10000, 0xffff, 0xf3, 0xf3);
		break;
	default:
		vmcs[GUEST_CR0] = 0x60000030;
		vmcs[GUEST_CR4] = 0x2000;
		vmcs[GUEST_RIP] = 0x7c00;
		set_segments(0, 0, 0xffff, 0x93, 0x9b);
	}
}

/* Fails if the check reads a field that does not exist with the VMX capabilities of the test. */
static u64 get(u64 field)
{
	const struct vmcs_field_info *info = vmcs_field_by_encoding(field);

	assert_non_null(info);
	assert_true(vmcs_field_exists(info, &cap));
	return vmcs[field];
}

/* All rules, to check that each was broken. */
static const struct rule {
	u64 field; /* of a segment rule: the field of ES */
	u64 registers;
	const char *words;
} rules[] = {
#define S_ES   1
#define S_CS   2
#define S_SS   4
#define S_DS   8
#define S_FS   16
#define S_GS   32
#define S_LDTR 64
#define S_TR   128
#define S_DATA (S_ES | S_DS | S_FS | S_GS)
#define S_SIX  (S_DATA | S_CS | S_SS)
#define ENTRY_SECTION(title)
#define ENTRY_RULE(field, holds, words)                   {field, 1, words},
#define ENTRY_SEGMENT_RULE(registers, part, holds, words) {GUEST_ES_##part, registers, words},
#include "report/entry_rules.def"
};

static unsigned times_broken[ARRAY_SIZE(rules)];

/* The rules that one run reported as broken. */
static struct {
	unsigned n;
	u64 field[16];
	const char *words[16];
} found;

static bool is_rule(const struct rule *r, u64 field, const char *words)
{
	return field >= r->field && field <= r->field + 14 && (field - r->field) % 2 == 0 &&
	       (r->registers >> ((field - r->field) / 2) & 1) && strcmp(words, r->words) == 0;
}

static void report(void *ctx, const char *section, const char *words, u64 field, u64 value)
{
	assert_ptr_equal(ctx, &found);
	assert_true(strlen(section) > 10);
	assert_int_equal(value, vmcs[field]);
	assert_true(found.n < ARRAY_SIZE(found.field));
	found.field[found.n] = field;
	found.words[found.n++] = words;
}

static unsigned run_check(void)
{
	unsigned n;

	found.n = 0;
	n = vmx_entry_check(&cap, get, report, &found);
	assert_int_equal(n, found.n);
	return n;
}

static void valid_guests_pass(void **state)
{
	(void)state;
	for (int b = 0; b < NR_BASES; b++) {
		make_base((enum base)b);
		if (run_check())
			fail_msg("base %d: %s: %s", b, vmcs_field_by_encoding(found.field[0])->name,
				 found.words[0]);
	}
}

/* The new value of a field: (old & ~clear) | set. */
struct change {
	u64 field, clear, set;
};
/* clang-format off */
#define SET(f, value) {.field = (f), .clear = ~0ull, .set = (value)}
#define OR(f, bits)   {.field = (f), .clear = 0, .set = (bits)}
#define CLR(f, bits)  {.field = (f), .clear = (bits), .set = 0}
#define NO_CHANGE     {.field = 0, .clear = 0, .set = 0}
/* clang-format on */

struct breakage {
	enum base base;
	u64 field;         /* the field that must be reported */
	const char *words; /* a part of the text of the rule that must be reported */
	struct change change[5];
	void (*tweak)(void); /* changes the capabilities */
};

/* clang-format off */
#define BREAK_ON(cpu, b, f, w, ...) \
	{.base = (b), .field = (f), .words = (w), .change = {__VA_ARGS__}, .tweak = (cpu)}
/* clang-format on */
#define BREAK(base, field, words, ...) BREAK_ON(NULL, base, field, words, __VA_ARGS__)
#define VALID(base, ...)               BREAK(base, 0, NULL, __VA_ARGS__)

#define INJECT(type, vector) SET(VM_ENTRY_INTR_INFO_FIELD, INTR_INFO_VALID_MASK | (type) | (vector))
#define INJECT_CODE(vector)                                                                \
	SET(VM_ENTRY_INTR_INFO_FIELD, INTR_INFO_VALID_MASK | INTR_INFO_DELIVER_CODE_MASK | \
					      INTR_TYPE_HARD_EXCEPTION | (vector))
#define NON_CANONICAL   0x0000800000000000ull
#define NO_UNRESTRICTED CLR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_UNRESTRICTED_GUEST)

static void without_ept_ad(void)
{
	cap.ept_vpid &= ~VMX_EPT_AD_BIT;
}

static void without_mtf(void)
{
	cap.ctl[VMX_PROC] &= ~(CPU_BASED_MONITOR_TRAP_FLAG << 32);
}

static void without_zero_length(void)
{
	cap.misc &= ~VMX_MISC_ZERO_LEN_INS;
}

static void without_wait_sipi(void)
{
	cap.misc &= ~VMX_MISC_ACTIVITY_WAIT_SIPI;
}

static void without_ept_uc(void)
{
	cap.ept_vpid &= ~VMX_EPTP_UC_BIT;
}

static const struct breakage breakages[] = {
	/* VM-Execution Control Fields */
	BREAK(B64, PIN_BASED_VM_EXEC_CONTROL, "PINBASED", CLR(PIN_BASED_VM_EXEC_CONTROL, 2)),
	BREAK(B64, PIN_BASED_VM_EXEC_CONTROL, "PINBASED", OR(PIN_BASED_VM_EXEC_CONTROL, BIT(8))),
	BREAK(B64, CPU_BASED_VM_EXEC_CONTROL, "PROCBASED_CTLS ", OR(CPU_BASED_VM_EXEC_CONTROL, 1)),
	BREAK(B64, SECONDARY_VM_EXEC_CONTROL, "CTLS2", OR(SECONDARY_VM_EXEC_CONTROL, BIT(29))),
	BREAK(B64, TERTIARY_VM_EXEC_CONTROL, "CTLS3",
	      OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_ACTIVATE_TERTIARY_CONTROLS),
	      SET(TERTIARY_VM_EXEC_CONTROL, 1)),
	BREAK(B64, CR3_TARGET_COUNT, "CR3-target count", SET(CR3_TARGET_COUNT, 5)),
	BREAK(B64, IO_BITMAP_A, "I/O bitmap A", SET(IO_BITMAP_A, 0x10800)),
	BREAK(B64, IO_BITMAP_B, "I/O bitmap B", SET(IO_BITMAP_B, BIT(40))),
	BREAK(B64, MSR_BITMAP, "MSR bitmap", SET(MSR_BITMAP, 0x12001)),
	BREAK(B64, VIRTUAL_APIC_PAGE_ADDR, "virtual-APIC",
	      OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_TPR_SHADOW), SET(VIRTUAL_APIC_PAGE_ADDR, 8)),
	BREAK(B64, TPR_THRESHOLD, "bits 31:4", OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_TPR_SHADOW),
	      SET(TPR_THRESHOLD, 16)),
	BREAK(B64, SECONDARY_VM_EXEC_CONTROL, "use TPR shadow",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_APIC_REGISTER_VIRT)),
	BREAK(B64, PIN_BASED_VM_EXEC_CONTROL, "needs \"NMI exiting\"",
	      CLR(PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_NMI_EXITING)),
	BREAK(B64, CPU_BASED_VM_EXEC_CONTROL, "needs \"virtual NMIs\"",
	      CLR(PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_VIRTUAL_NMIS),
	      OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_NMI_WINDOW_EXITING)),
	BREAK(B64, APIC_ACCESS_ADDR, "APIC-access",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES),
	      SET(APIC_ACCESS_ADDR, 0xfee00010)),
	BREAK(B64, SECONDARY_VM_EXEC_CONTROL, "excludes \"virtualize APIC accesses\"",
	      OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_TPR_SHADOW),
	      OR(SECONDARY_VM_EXEC_CONTROL,
		 SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE | SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES)),
	BREAK(B64, PIN_BASED_VM_EXEC_CONTROL, "needs \"external-interrupt exiting\"",
	      OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_TPR_SHADOW),
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)),
	BREAK(B64, PIN_BASED_VM_EXEC_CONTROL, "posted interrupts need",
	      OR(PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_POSTED_INTR)),
#define POSTED                                                                          \
	OR(PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_POSTED_INTR | PIN_BASED_EXT_INTR_MASK), \
		OR(CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_TPR_SHADOW),                    \
		OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY),    \
		OR(VM_EXIT_CONTROLS, VM_EXIT_ACK_INTR_ON_EXIT)
	BREAK(B64, POSTED_INTR_NV, "0 to 255", POSTED, SET(POSTED_INTR_NV, 0x100)),
	BREAK(B64, POSTED_INTR_DESC_ADDR, "64-byte-aligned", POSTED,
	      SET(POSTED_INTR_DESC_ADDR, 0x20)),
	BREAK(B64, VIRTUAL_PROCESSOR_ID, "VPID must not be 0", SET(VIRTUAL_PROCESSOR_ID, 0)),
	BREAK(B64, EPT_POINTER, "memory type", CLR(EPT_POINTER, 4)),
	BREAK_ON(without_ept_uc, B64, EPT_POINTER, "memory type", CLR(EPT_POINTER, 6)),
	BREAK(B64, EPT_POINTER, "walk length", OR(EPT_POINTER, VMX_EPTP_PWL_5)),
	BREAK_ON(without_ept_ad, B64, EPT_POINTER, "bit 6 must be 0", NO_CHANGE),
	BREAK(B64, EPT_POINTER, "reserved bits", OR(EPT_POINTER, BIT(11))),
	BREAK(B64, EPT_POINTER, "reserved bits", OR(EPT_POINTER, BIT(45))),
	BREAK(B64, SECONDARY_VM_EXEC_CONTROL, "need EPT",
	      CLR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_EPT)),
	BREAK(B64, PML_ADDRESS, "PML address",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_PML), SET(PML_ADDRESS, 4)),
	BREAK(B64, SPP_TABLE_POINTER, "SPP table",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_SUBPAGE_WRITE_PERMISSION),
	      SET(SPP_TABLE_POINTER, 4)),
#define VMFUNC OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_VMFUNC)
	BREAK(B64, VM_FUNCTION_CONTROL, "IA32_VMX_VMFUNC", VMFUNC, SET(VM_FUNCTION_CONTROL, 2)),
	BREAK(B64, EPTP_LIST_ADDRESS, "EPTP switching", VMFUNC, SET(VM_FUNCTION_CONTROL, 1),
	      SET(EPTP_LIST_ADDRESS, 8)),
	BREAK(B64, VMREAD_BITMAP, "VMREAD",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_SHADOW_VMCS), SET(VMWRITE_BITMAP, 1)),
	BREAK(B64, VE_INFORMATION_ADDRESS, "#VE",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_EPT_VIOLATION_VE),
	      SET(VE_INFORMATION_ADDRESS, 1)),
	BREAK(B64, TSC_MULTIPLIER, "TSC multiplier",
	      OR(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_TSC_SCALING)),

	/* VM-Exit Control Fields */
	BREAK(B64, VM_EXIT_CONTROLS, "IA32_VMX_EXIT_CTLS", CLR(VM_EXIT_CONTROLS, 1)),
	BREAK(B64, VM_EXIT_CONTROLS, "needs the timer",
	      OR(VM_EXIT_CONTROLS, VM_EXIT_SAVE_VMX_PREEMPTION_TIMER)),
	BREAK(B64, VM_EXIT_MSR_STORE_ADDR, "MSR-store list", SET(VM_EXIT_MSR_STORE_COUNT, 1),
	      SET(VM_EXIT_MSR_STORE_ADDR, 8)),
	BREAK(B64, VM_EXIT_MSR_LOAD_ADDR, "MSR-load list", SET(VM_EXIT_MSR_LOAD_COUNT, 2),
	      SET(VM_EXIT_MSR_LOAD_ADDR, BIT(40) - 16)),

	/* VM-Entry Control Fields */

	BREAK(B64, VM_ENTRY_CONTROLS, "IA32_VMX_ENTRY_CTLS", OR(VM_ENTRY_CONTROLS, BIT(31))),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "type must not be 1", INJECT(INTR_TYPE_RESERVED, 0)),
	BREAK_ON(without_mtf, B64, VM_ENTRY_INTR_INFO_FIELD, "type must not be 1",
		 INJECT(INTR_TYPE_OTHER_EVENT, 0)),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "an NMI must", INJECT(INTR_TYPE_NMI_INTR, 3)),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "at most 31", INJECT(INTR_TYPE_HARD_EXCEPTION, 32)),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "type 7 must", INJECT(INTR_TYPE_OTHER_EVENT, 1)),
	/* #UD with an error code, #GP without, #GP with one in real mode, an interrupt with one */
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "deliver-error-code must", INJECT_CODE(6)),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "deliver-error-code must",
	      INJECT(INTR_TYPE_HARD_EXCEPTION, 13)),
	BREAK(REAL, VM_ENTRY_INTR_INFO_FIELD, "deliver-error-code must", INJECT_CODE(13)),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "deliver-error-code must",
	      INJECT(INTR_TYPE_NMI_INTR, 0x802)),
	BREAK(B64, VM_ENTRY_INTR_INFO_FIELD, "bits 30:12",
	      INJECT(INTR_TYPE_HARD_EXCEPTION | BIT(12), 6)),
	BREAK(B64, VM_ENTRY_EXCEPTION_ERROR_CODE, "bits 31:16", INJECT_CODE(14),
	      SET(VM_ENTRY_EXCEPTION_ERROR_CODE, 0x10000)),
	BREAK(B64, VM_ENTRY_INSTRUCTION_LEN, "instruction length",
	      INJECT(INTR_TYPE_SOFT_INTR, 0x80), SET(VM_ENTRY_INSTRUCTION_LEN, 16)),
	BREAK_ON(without_zero_length, B64, VM_ENTRY_INSTRUCTION_LEN, "instruction length",
		 INJECT(INTR_TYPE_SOFT_EXCEPTION, 3)),
	BREAK(B64, VM_ENTRY_MSR_LOAD_ADDR, "MSR-load list", SET(VM_ENTRY_MSR_LOAD_COUNT, 1),
	      SET(VM_ENTRY_MSR_LOAD_ADDR, 1)),
	BREAK(B64, VM_ENTRY_CONTROLS, "outside SMM", OR(VM_ENTRY_CONTROLS, VM_ENTRY_SMM)),

	/* Checks on Host Control Registers, MSRs, and SSP */
	BREAK(B64, HOST_CR0, "bits that VMX fixes", CLR(HOST_CR0, 0x20)),
	BREAK(B64, HOST_CR4, "bits that VMX fixes", CLR(HOST_CR4, 0x2000)),
	BREAK(B64, HOST_CR4, "bits that VMX fixes", OR(HOST_CR4, BIT(31))),
	BREAK(B64, HOST_CR4, "CR4.CET needs", OR(HOST_CR4, BIT(23)), CLR(HOST_CR0, BIT(16))),
	BREAK(B64, HOST_CR3, "physical-address width", SET(HOST_CR3, BIT(40))),
	BREAK(B64, HOST_IA32_SYSENTER_ESP, "canonical", SET(HOST_IA32_SYSENTER_ESP, NON_CANONICAL)),
	BREAK(B64, HOST_IA32_SYSENTER_EIP, "canonical", SET(HOST_IA32_SYSENTER_EIP, NON_CANONICAL)),
	BREAK(B64, HOST_IA32_PAT, "memory type", SET(HOST_IA32_PAT, 0x0200000000000000)),
	BREAK(B64, HOST_IA32_EFER, "reserved bits", OR(HOST_IA32_EFER, BIT(12))),
	BREAK(B64, HOST_IA32_EFER, "LMA and LME", CLR(HOST_IA32_EFER, EFER_LMA)),
	BREAK(B64, HOST_S_CET, "IA32_S_CET", SET(HOST_S_CET, 0xc00)),
	BREAK(B64, HOST_SSP, "SSP", SET(HOST_SSP, 1)),
	BREAK(B64, HOST_INTR_SSP_TABLE, "canonical", SET(HOST_INTR_SSP_TABLE, NON_CANONICAL)),
	BREAK(B64, HOST_IA32_PKRS, "63:32", SET(HOST_IA32_PKRS, BIT(32))),

	/* Checks on Host Segment and Descriptor-Table Registers */
	BREAK(B64, HOST_ES_SELECTOR, "RPL", OR(HOST_ES_SELECTOR, 1)),
	BREAK(B64, HOST_CS_SELECTOR, "RPL", OR(HOST_CS_SELECTOR, 4)),
	BREAK(B64, HOST_SS_SELECTOR, "RPL", OR(HOST_SS_SELECTOR, 3)),
	BREAK(B64, HOST_DS_SELECTOR, "RPL", OR(HOST_DS_SELECTOR, 2)),
	BREAK(B64, HOST_FS_SELECTOR, "RPL", OR(HOST_FS_SELECTOR, 1)),
	BREAK(B64, HOST_GS_SELECTOR, "RPL", OR(HOST_GS_SELECTOR, 1)),
	BREAK(B64, HOST_TR_SELECTOR, "RPL", OR(HOST_TR_SELECTOR, 4)),
	BREAK(B64, HOST_CS_SELECTOR, "must not be 0", SET(HOST_CS_SELECTOR, 0)),
	BREAK(B64, HOST_TR_SELECTOR, "must not be 0", SET(HOST_TR_SELECTOR, 0)),
	BREAK(B64, HOST_FS_BASE, "canonical", SET(HOST_FS_BASE, NON_CANONICAL)),
	BREAK(B64, HOST_GS_BASE, "canonical", SET(HOST_GS_BASE, NON_CANONICAL)),
	BREAK(B64, HOST_TR_BASE, "canonical", SET(HOST_TR_BASE, NON_CANONICAL)),
	BREAK(B64, HOST_GDTR_BASE, "canonical", SET(HOST_GDTR_BASE, NON_CANONICAL)),
	BREAK(B64, HOST_IDTR_BASE, "canonical", SET(HOST_IDTR_BASE, NON_CANONICAL)),

	/* Checks Related to Address-Space Size */
	BREAK(B64, VM_EXIT_CONTROLS, "64-bit hypervisor",
	      CLR(VM_EXIT_CONTROLS, VM_EXIT_HOST_ADDR_SPACE_SIZE), SET(HOST_IA32_EFER, 0)),
	BREAK(B64, HOST_CR4, "CR4.PAE", CLR(HOST_CR4, 0x20)),
	BREAK(B64, HOST_RIP, "canonical", SET(HOST_RIP, NON_CANONICAL)),

	/* Checks on Guest Control Registers, Debug Registers, and MSRs */
	BREAK(B64, GUEST_CR0, "bits that VMX fixes", CLR(GUEST_CR0, 0x20)),
	BREAK(B64, GUEST_CR0, "bits that VMX fixes", OR(GUEST_CR0, BIT(32))),
	BREAK(REAL, GUEST_CR0, "bits that VMX fixes", NO_UNRESTRICTED),
	BREAK(REAL, GUEST_CR0, "CR0.PG needs CR0.PE", OR(GUEST_CR0, BIT(31))),
	BREAK(B64, GUEST_CR4, "bits that VMX fixes", CLR(GUEST_CR4, 0x2000)),
	BREAK(B64, GUEST_CR4, "CR4.CET needs", OR(GUEST_CR4, BIT(23)), CLR(GUEST_CR0, BIT(16))),
	BREAK(B64, GUEST_IA32_DEBUGCTL, "reserved bits", SET(GUEST_IA32_DEBUGCTL, 8)),
	/* IA-32e mode without paging: LMA and LME are not checked then */
	BREAK(B64, GUEST_CR0, "needs CR0.PG", CLR(GUEST_CR0, BIT(31))),
	BREAK(B64, GUEST_CR4, "needs CR4.PAE", CLR(GUEST_CR4, 0x20)),
	BREAK(PAE32, GUEST_CR4, "CR4.PCIDE", OR(GUEST_CR4, BIT(17))),
	BREAK(B64, GUEST_CR3, "physical-address width", SET(GUEST_CR3, BIT(63))),
	BREAK(B64, GUEST_DR7, "63:32", OR(GUEST_DR7, BIT(32))),
	BREAK(B64, GUEST_SYSENTER_ESP, "canonical", SET(GUEST_SYSENTER_ESP, NON_CANONICAL)),
	BREAK(B64, GUEST_SYSENTER_EIP, "canonical", SET(GUEST_SYSENTER_EIP, NON_CANONICAL)),
	BREAK(B64, GUEST_IA32_PAT, "memory type", SET(GUEST_IA32_PAT, 0x08)),
	BREAK(B64, GUEST_IA32_EFER, "reserved bits", OR(GUEST_IA32_EFER, BIT(1))),
	BREAK(REAL, GUEST_IA32_EFER, "\"IA-32e mode guest\"", SET(GUEST_IA32_EFER, EFER_LMA)),
	BREAK(PAE32, GUEST_IA32_EFER, "LMA must equal LME", SET(GUEST_IA32_EFER, EFER_LME)),
	BREAK(B64, GUEST_BNDCFGS, "bits 11:2", SET(GUEST_BNDCFGS, 4)),
	BREAK(B64, GUEST_S_CET, "IA32_S_CET", SET(GUEST_S_CET, 0x40)),
	BREAK(B64, GUEST_INTR_SSP_TABLE, "canonical", SET(GUEST_INTR_SSP_TABLE, NON_CANONICAL)),
	BREAK(B64, GUEST_IA32_PKRS, "63:32", SET(GUEST_IA32_PKRS, BIT(40))),

	/* Checks on Guest Segment Registers */
	BREAK(B64, GUEST_TR_SELECTOR, "TI must be 0", OR(GUEST_TR_SELECTOR, 4)),
	BREAK(B64, GUEST_LDTR_SELECTOR, "TI must be 0", SET(GUEST_LDTR_SELECTOR, 4),
	      SET(GUEST_LDTR_AR_BYTES, 0x82)),
	BREAK(B64, GUEST_SS_SELECTOR, "must equal that of CS", NO_UNRESTRICTED,
	      OR(GUEST_SS_SELECTOR, 3), SET(GUEST_CS_AR_BYTES, 0xa0fb),
	      SET(GUEST_SS_AR_BYTES, 0xc0f3)),
	BREAK(V86, GUEST_ES_BASE, "16 times", SET(GUEST_ES_BASE, 0x10001)),
	BREAK(V86, GUEST_GS_BASE, "16 times", SET(GUEST_GS_BASE, 0)),
	BREAK(B64, GUEST_TR_BASE, "canonical", SET(GUEST_TR_BASE, NON_CANONICAL)),
	BREAK(B64, GUEST_FS_BASE, "canonical", SET(GUEST_FS_BASE, NON_CANONICAL)),
	BREAK(B64, GUEST_GS_BASE, "canonical", SET(GUEST_GS_BASE, NON_CANONICAL)),
	BREAK(B64, GUEST_LDTR_BASE, "canonical", SET(GUEST_LDTR_BASE, NON_CANONICAL),
	      SET(GUEST_LDTR_AR_BYTES, 0x82)),
	BREAK(B64, GUEST_CS_BASE, "63:32", SET(GUEST_CS_BASE, BIT(32))),
	BREAK(B64, GUEST_SS_BASE, "63:32", SET(GUEST_SS_BASE, BIT(32))),
	BREAK(V86, GUEST_SS_LIMIT, "FFFFH", SET(GUEST_SS_LIMIT, 0xfffe)),
	BREAK(V86, GUEST_CS_AR_BYTES, "F3H", SET(GUEST_CS_AR_BYTES, 0x9b)),
	BREAK(B64, GUEST_CS_AR_BYTES, "accessed code", SET(GUEST_CS_AR_BYTES, 0xa09a)),
	BREAK(PAE32, GUEST_CS_AR_BYTES, "accessed code", NO_UNRESTRICTED,
	      SET(GUEST_CS_AR_BYTES, 0xc093)),
	BREAK(B64, GUEST_SS_AR_BYTES, "3 or 7", SET(GUEST_SS_AR_BYTES, 0xc09b)),
	BREAK(B64, GUEST_DS_AR_BYTES, "accessed bit", SET(GUEST_DS_AR_BYTES, 0xc092)),
	BREAK(B64, GUEST_ES_AR_BYTES, "must be readable", SET(GUEST_ES_AR_BYTES, 0xc099)),
	BREAK(B64, GUEST_FS_AR_BYTES, "S must be 1", SET(GUEST_FS_AR_BYTES, 0xc083)),
	BREAK(B64, GUEST_CS_AR_BYTES, "S must be 1", SET(GUEST_CS_AR_BYTES, 0xa08b)),
	BREAK(REAL, GUEST_CS_AR_BYTES, "type 3 must be 0", SET(GUEST_CS_AR_BYTES, 0xb3)),
	BREAK(B64, GUEST_CS_AR_BYTES, "non-conforming CS", SET(GUEST_CS_AR_BYTES, 0xa0fb)),
	BREAK(B64, GUEST_CS_AR_BYTES, "a conforming CS", SET(GUEST_CS_AR_BYTES, 0xa0bf)),
	BREAK(B64, GUEST_SS_AR_BYTES, "equal its RPL", NO_UNRESTRICTED,
	      SET(GUEST_CS_AR_BYTES, 0xa0fb), SET(GUEST_SS_AR_BYTES, 0xc0f3)),
	BREAK(REAL, GUEST_SS_AR_BYTES, "DPL of SS must be 0", SET(GUEST_SS_AR_BYTES, 0xf3),
	      SET(GUEST_CS_AR_BYTES, 0xfb)),
	BREAK(B64, GUEST_DS_AR_BYTES, "less than its RPL", NO_UNRESTRICTED,
	      OR(GUEST_DS_SELECTOR, 3)),
	BREAK(B64, GUEST_GS_AR_BYTES, "P must be 1", SET(GUEST_GS_AR_BYTES, 0xc013)),
	BREAK(B64, GUEST_CS_AR_BYTES, "bits 11:8", SET(GUEST_CS_AR_BYTES, 0xa19b)),
	BREAK(B64, GUEST_DS_AR_BYTES, "bits 11:8", SET(GUEST_DS_AR_BYTES, 0x2c093)),
	BREAK(B64, GUEST_CS_AR_BYTES, "D/B must be 0", SET(GUEST_CS_AR_BYTES, 0xe09b)),
	BREAK(B64, GUEST_CS_AR_BYTES, "G must be 0", SET(GUEST_CS_LIMIT, 0xfffffffe)),
	BREAK(B64, GUEST_ES_AR_BYTES, "G must be 0", SET(GUEST_ES_AR_BYTES, 0x4093)),
	BREAK(B64, GUEST_TR_AR_BYTES, "busy TSS", SET(GUEST_TR_AR_BYTES, 0x89)),
	BREAK(B64, GUEST_TR_AR_BYTES, "busy TSS", SET(GUEST_TR_AR_BYTES, 0x83)),
	BREAK(B64, GUEST_TR_AR_BYTES, "must be usable", OR(GUEST_TR_AR_BYTES, 0x10000)),
	BREAK(B64, GUEST_LDTR_AR_BYTES, "2: LDT", SET(GUEST_LDTR_AR_BYTES, 0x83)),
	BREAK(B64, GUEST_TR_AR_BYTES, "a system segment", SET(GUEST_TR_AR_BYTES, 0x9b)),
	BREAK(B64, GUEST_LDTR_AR_BYTES, "P of a usable", SET(GUEST_LDTR_AR_BYTES, 0x02)),
	BREAK(B64, GUEST_TR_AR_BYTES, "of a usable system", SET(GUEST_TR_AR_BYTES, 0x18b)),
	BREAK(B64, GUEST_TR_AR_BYTES, "G of a usable", SET(GUEST_TR_LIMIT, 0x100000)),
	BREAK(B64, GUEST_TR_AR_BYTES, "G of a usable", SET(GUEST_TR_AR_BYTES, 0x808b)),

	/* Checks on Guest Descriptor-Table Registers */
	BREAK(B64, GUEST_GDTR_BASE, "canonical", SET(GUEST_GDTR_BASE, NON_CANONICAL)),
	BREAK(B64, GUEST_IDTR_BASE, "canonical", SET(GUEST_IDTR_BASE, NON_CANONICAL)),
	BREAK(B64, GUEST_GDTR_LIMIT, "31:16", SET(GUEST_GDTR_LIMIT, 0x10000)),
	BREAK(B64, GUEST_IDTR_LIMIT, "31:16", SET(GUEST_IDTR_LIMIT, 0x10000)),

	/* Checks on Guest RIP, RFLAGS, and SSP */
	BREAK(PAE32, GUEST_RIP, "63:32", SET(GUEST_RIP, BIT(32))),
	BREAK(B64, GUEST_RIP, "63:32", SET(GUEST_CS_AR_BYTES, 0xc09b)),
	BREAK(B64, GUEST_RIP, "canonical", SET(GUEST_RIP, NON_CANONICAL)),
	BREAK(B64, GUEST_RFLAGS, "bit 1 must be 1", SET(GUEST_RFLAGS, 0)),
	BREAK(B64, GUEST_RFLAGS, "bits 63:22", OR(GUEST_RFLAGS, BIT(3))),
	BREAK(V86, GUEST_RFLAGS, "VM must be 0", CLR(GUEST_CR0, 0x80000001)),
	BREAK(B64, GUEST_RFLAGS, "IF must be 1", INJECT(INTR_TYPE_EXT_INTR, 0x30)),
	BREAK(B64, GUEST_SSP, "SSP", SET(GUEST_SSP, 2)),

	/* Checks on Guest Non-Register State */
	BREAK(B64, GUEST_ACTIVITY_STATE, "IA32_VMX_MISC allows", SET(GUEST_ACTIVITY_STATE, 4)),
	BREAK_ON(without_wait_sipi, B64, GUEST_ACTIVITY_STATE, "IA32_VMX_MISC allows",
		 SET(GUEST_ACTIVITY_STATE, 3)),
	BREAK(B64, GUEST_ACTIVITY_STATE, "DPL 0", SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT),
	      SET(GUEST_SS_AR_BYTES, 0xc0f3), SET(GUEST_CS_AR_BYTES, 0xa0fb)),
	BREAK(B64, GUEST_ACTIVITY_STATE, "must be active",
	      SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT),
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_MOV_SS)),
	BREAK(B64, GUEST_ACTIVITY_STATE, "event to inject",
	      SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT), INJECT_CODE(14)),
	BREAK(B64, GUEST_ACTIVITY_STATE, "event to inject",
	      SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_WAIT_SIPI), INJECT(INTR_TYPE_NMI_INTR, 2)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "31:5", SET(GUEST_INTERRUPTIBILITY_INFO, 0x20)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "exclude each other",
	      SET(GUEST_INTERRUPTIBILITY_INFO, 3), OR(GUEST_RFLAGS, BIT(9))),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "needs RFLAGS.IF",
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_STI)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "external interrupt cannot",
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_STI), OR(GUEST_RFLAGS, BIT(9)),
	      INJECT(INTR_TYPE_EXT_INTR, 0x30)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "NMI cannot be injected while MOV SS",
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_MOV_SS),
	      INJECT(INTR_TYPE_NMI_INTR, 2)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "outside SMM",
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_SMI)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "while NMIs are blocked",
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_NMI),
	      INJECT(INTR_TYPE_NMI_INTR, 2)),
	BREAK(B64, GUEST_INTERRUPTIBILITY_INFO, "enclave",
	      SET(GUEST_INTERRUPTIBILITY_INFO,
		  GUEST_INTR_STATE_ENCLAVE_INTR | GUEST_INTR_STATE_MOV_SS)),
	BREAK(B64, GUEST_PENDING_DBG_EXCEPTIONS, "reserved",
	      SET(GUEST_PENDING_DBG_EXCEPTIONS, 0x10)),
	BREAK(B64, GUEST_PENDING_DBG_EXCEPTIONS, "BS must be 1",
	      SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_MOV_SS), OR(GUEST_RFLAGS, BIT(8))),
	BREAK(B64, GUEST_PENDING_DBG_EXCEPTIONS, "BS must be 1",
	      SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT), OR(GUEST_RFLAGS, BIT(8)),
	      SET(GUEST_IA32_DEBUGCTL, 2), SET(GUEST_PENDING_DBG_EXCEPTIONS, BIT(14))),
	BREAK(B64, GUEST_PENDING_DBG_EXCEPTIONS, "RTM", SET(GUEST_PENDING_DBG_EXCEPTIONS, BIT(16))),
	BREAK(B64, VMCS_LINK_POINTER, "FFFFFFFF", SET(VMCS_LINK_POINTER, 0x1001)),

	/* Checks on Guest Page-Directory-Pointer-Table Entries */
	BREAK(PAE32, GUEST_PDPTR0, "present entry", OR(GUEST_PDPTR0, 2)),
	BREAK(PAE32, GUEST_PDPTR1, "present entry", SET(GUEST_PDPTR1, 0x21)),
	BREAK(PAE32, GUEST_PDPTR2, "present entry", SET(GUEST_PDPTR2, BIT(40) | 1)),
	BREAK(PAE32, GUEST_PDPTR3, "present entry", SET(GUEST_PDPTR3, BIT(63) | 1)),
};

static void apply(const struct breakage *b)
{
	make_base(b->base);
	for (unsigned i = 0;
	     i < ARRAY_SIZE(b->change) && (b->change[i].field || b->change[i].clear); i++) {
		const struct change *ch = &b->change[i];

		vmcs[ch->field] = (vmcs[ch->field] & ~ch->clear) | ch->set;
	}
	if (b->tweak)
		b->tweak();
}

/* Run one case: only the rule that it breaks must be reported. Returns 1 on failure, else 0. */
static unsigned run_breakage(unsigned i)
{
	const struct breakage *b = &breakages[i];
	unsigned n, k;

	apply(b);
	n = run_check();
	for (k = 0; k < n; k++) {
		if (found.field[k] == b->field && strstr(found.words[k], b->words))
			break;
	}
	if (n != 1 || k == n) {
		print_error("case %u (%s: %s) broke %u rules:\n", i,
			    vmcs_field_by_encoding(b->field)->name, b->words, n);
		for (k = 0; k < n; k++)
			print_error("  %s: %s\n", vmcs_field_by_encoding(found.field[k])->name,
				    found.words[k]);
		return 1;
	}
	for (unsigned r = 0; r < ARRAY_SIZE(rules); r++)
		times_broken[r] += is_rule(&rules[r], found.field[k], found.words[k]);
	return 0;
}

static void every_rule_is_named_when_broken(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(breakages); i++)
		failures += run_breakage(i);
	for (unsigned r = 0; r < ARRAY_SIZE(rules); r++) {
		if (times_broken[r])
			continue;
		print_error("no case breaks: %s: %s\n",
			    vmcs_field_by_encoding(rules[r].field)->name, rules[r].words);
		failures++;
	}
	assert_int_equal(failures, 0);
}

/* Unusual but valid states must pass. */
static void odd_but_valid_states_pass(void **state)
{
	static const struct breakage valid[] = {
		VALID(B64, INJECT_CODE(14), SET(VM_ENTRY_EXCEPTION_ERROR_CODE, 0xffff)),
		VALID(REAL, INJECT(INTR_TYPE_HARD_EXCEPTION, 13)),
		VALID(B64, INJECT_CODE(21)),
		VALID(B64, INJECT(INTR_TYPE_OTHER_EVENT, 0)),
		VALID(B64, INJECT(INTR_TYPE_EXT_INTR, 0xff), OR(GUEST_RFLAGS, BIT(9))),
		VALID(B64, SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT),
		      INJECT(INTR_TYPE_NMI_INTR, 2)),
		VALID(B64, SET(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_WAIT_SIPI)),
		VALID(B64, OR(GUEST_CR0, BIT(29) | BIT(30))),
		VALID(B64, SET(GUEST_DS_AR_BYTES, 0x10000), SET(GUEST_DS_BASE, BIT(40))),
		VALID(B64, SET(GUEST_CS_AR_BYTES, 0xa09f)),
		VALID(B64, SET(VMCS_LINK_POINTER, 0x5000)),
		VALID(B64, SET(VM_EXIT_MSR_LOAD_ADDR, 1)), /* no entries */
		VALID(PAE32, SET(GUEST_TR_AR_BYTES, 0x83)),
		VALID(PAE32, SET(GUEST_PDPTR1, ~1ull)), /* not present */
		VALID(REAL, SET(GUEST_CS_AR_BYTES, 0x93)),
		VALID(B64, SET(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_MOV_SS),
		      OR(GUEST_RFLAGS, BIT(8)), SET(GUEST_PENDING_DBG_EXCEPTIONS, BIT(14))),
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(valid); i++) {
		apply(&valid[i]);
		if (run_check())
			fail_msg("case %u: %s: %s", i, vmcs_field_by_encoding(found.field[0])->name,
				 found.words[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_guests_pass),
		cmocka_unit_test(every_rule_is_named_when_broken),
		cmocka_unit_test(odd_but_valid_states_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
