// SPDX-License-Identifier: MIT
/*
 * Linear addresses of a guest in 64-bit mode: which are canonical, and those with a tag
 * (linear-address masking), as INS, OUTS and emulated stores use them. The guest's registers are
 * variables; it has no memory.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/guest_registers.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "vmm/event.h"
#include "vmm/memslot.h"
#include "vmm/shadow_ops.h"
#include "vmm/vm.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/x86/emulate.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/io.h"
#include "vmm/x86/unknown.h"

#define FS_BASE 0x7e00000000000010ull

struct virt_ops virt_ops;

static struct vm vm;
static struct vcpu vcpu = {.vm = &vm};
static bool code_is_64;
static unsigned cpl, faults;

static void flat_segment(struct vcpu *v, enum segment_reg reg, struct segment *seg)
{
	(void)v;
	*seg = (struct segment){
		.base = reg == SEG_FS ? FS_BASE : 0, .limit = 0xffffffff, .ar = 0xc093};
	if (reg == SEG_CS)
		seg->ar = code_is_64 ? SEG_AR_L | 0x9b : SEG_AR_DB | 0x9b;
	if (reg == SEG_SS)
		seg->ar |= cpl << 5;
}

void queue_exception_e(struct vcpu *v, u8 vector, u32 error)
{
	(void)v;
	(void)error;
	assert_int_equal(vector, GP_VECTOR);
	faults++;
}

u64 gfn_to_hva(struct vm *v, gfn_t gfn)
{
	(void)v;
	(void)gfn;
	return 0;
}

void *gpa_to_ptr(struct vm *v, gpa_t gpa, u64 len)
{
	(void)v;
	(void)gpa;
	(void)len;
	return NULL;
}

int read_guest(struct vm *v, gpa_t gpa, void *buf, size_t len)
{
	(void)v;
	(void)gpa;
	(void)buf;
	(void)len;
	return -EFAULT;
}

int write_guest(struct vm *v, gpa_t gpa, const void *buf, size_t len)
{
	(void)v;
	(void)gpa;
	(void)buf;
	(void)len;
	return -EFAULT;
}

u32 kernel_pio(struct vcpu *v, const struct pio_access *io, u32 value)
{
	(void)v;
	(void)io;
	return value;
}

void assign_register(u64 *reg, unsigned size, u64 value)
{
	(void)reg;
	(void)size;
	(void)value;
}

void breakpoint_access(struct vcpu *v, enum breakpoint_kind kind, gva_t gva, unsigned size)
{
	(void)v;
	(void)kind;
	(void)gva;
	(void)size;
}

void emulate_skip(struct vcpu *v, const struct insn *insn, bool repeat)
{
	(void)v;
	(void)insn;
	(void)repeat;
}

int handle_unknown(struct vcpu *v, const char *what)
{
	(void)v;
	(void)what;
	return 1;
}

static int setup(void **state)
{
	(void)state;
	virt_ops = (struct virt_ops){.get_sysreg = get_sysreg, .get_segment = flat_segment};
	memset(sysregs, 0, sizeof(sysregs));
	memset(vcpu.regs, 0, sizeof(vcpu.regs));
	sysregs[SYSREG_EFER] = EFER_LME | EFER_LMA;
	sysregs[SYSREG_CR3] = 0x1000;
	code_is_64 = true;
	cpl = faults = 0;
	return 0;
}

/* What INS and OUTS use for @gva; 0: #GP. */
static gva_t checked(gva_t gva)
{
	unsigned before = faults;
	gva_t linear;

	if (guest_linear(&vcpu, SEG_ES, gva, 4, true, &linear)) {
		assert_int_equal(faults, before + 1);
		return 0;
	}
	return linear;
}

/* What MOV [RBX], EAX at @gva is found to access. */
static gva_t stored(gva_t gva)
{
	static const u8 bytes[] = {0x89, 0x03};
	struct insn_mem mem;
	struct insn insn;

	assert_true(insn_decode(&insn, bytes, sizeof(bytes), code_is_64 ? INSN_64 : INSN_32) > 0);
	assert_int_equal(insn_memory_op(&insn, &mem), 0);
	vcpu.regs[VCPU_RBX] = gva;
	return guest_operand(&vcpu, &insn, &mem);
}

#define IS(gva, address)                                 \
	do {                                             \
		assert_int_equal(checked(gva), address); \
		assert_int_equal(stored(gva), address);  \
	} while (0)
#define FAULTS(gva) assert_int_equal(checked(gva), 0)

static void addresses_are_canonical(void **state)
{
	(void)state;
	IS(0x00007ffffffff000, 0x00007ffffffff000);
	IS(0xffff800000000000, 0xffff800000000000);
	FAULTS(0x0000800000000000);
	FAULTS(0x7f00000000001000);
	FAULTS(0xfeff800000000000);
	sysregs[SYSREG_CR4] = CR4_LA57;
	IS(0x00ff800000000000, 0x00ff800000000000);
	FAULTS(0x0100000000000000);
}

static void user_tags_of_15_bits(void **state)
{
	(void)state;
	sysregs[SYSREG_CR3] |= CR3_LAM_U48;
	IS(0x7fff000000001000, 0x1000);
	IS(0x1234700000001000, 0x0000700000001000);
	FAULTS(0x1234800000001000); /* bit 47 is not bit 63 */
	FAULTS(0xfeff800000000000); /* the supervisor's */
	sysregs[SYSREG_CR4] = CR4_LA57;
	IS(0x00ff700000001000, 0x0000700000001000); /* these bits are a tag, too */
}

static void user_tags_of_6_bits(void **state)
{
	(void)state;
	sysregs[SYSREG_CR3] |= CR3_LAM_U57;
	IS(0x7e00700000001000, 0x0000700000001000);
	FAULTS(0x0100000000001000); /* not of the tag */
	sysregs[SYSREG_CR3] |= CR3_LAM_U48;
	FAULTS(0x0100000000001000); /* U57 decides */
	sysregs[SYSREG_CR4] = CR4_LA57;
	IS(0x7eff800000001000, 0x00ff800000001000);
	FAULTS(0x7f00000000001000);
}

static void supervisor_tags(void **state)
{
	(void)state;
	sysregs[SYSREG_CR4] = CR4_LAM_SUP;
	IS(0x8000800000001000, 0xffff800000001000);
	IS(0xa5a5ffff80000000, 0xffffffff80000000);
	FAULTS(0xffff700000001000);
	FAULTS(0x7e00000000001000); /* the user's */
	sysregs[SYSREG_CR4] |= CR4_LA57;
	IS(0x8100000000001000, 0xff00000000001000);
	FAULTS(0x80ff800000001000);
}

/* Its two ends may be in different halves; the base is masked with the offset. */
static void all_of_an_access_counts(void **state)
{
	gva_t linear;

	(void)state;
	sysregs[SYSREG_CR3] |= CR3_LAM_U57;
	FAULTS(0x7e007ffffffffffe);
	assert_int_equal(guest_linear(&vcpu, SEG_FS, 0x20, 4, false, &linear), 0);
	assert_int_equal(linear, 0x30);
}

static void other_modes_have_no_tags(void **state)
{
	(void)state;
	sysregs[SYSREG_CR3] |= CR3_LAM_U57 | CR3_LAM_U48;
	sysregs[SYSREG_CR4] = CR4_LAM_SUP;
	code_is_64 = false;
	IS(0xfedcb000, 0xfedcb000);
}

#define USER_ADDRESS       0x00007ffffffff000
#define SUPERVISOR_ADDRESS 0xffff800000000000

static void lass_parts_user_and_supervisor(void **state)
{
	(void)state;
	sysregs[SYSREG_CR4] = CR4_LASS;
	IS(USER_ADDRESS, USER_ADDRESS);
	IS(SUPERVISOR_ADDRESS, SUPERVISOR_ADDRESS);
	sysregs[SYSREG_CR4] |= CR4_SMAP;
	FAULTS(USER_ADDRESS);
	IS(SUPERVISOR_ADDRESS, SUPERVISOR_ADDRESS);
	sysregs[SYSREG_RFLAGS] = RFLAGS_AC;
	IS(USER_ADDRESS, USER_ADDRESS);
	cpl = 3;
	IS(USER_ADDRESS, USER_ADDRESS);
	FAULTS(SUPERVISOR_ADDRESS);
	sysregs[SYSREG_CR4] = CR4_SMAP;
	IS(SUPERVISOR_ADDRESS, SUPERVISOR_ADDRESS); /* which the page tables refuse */
	sysregs[SYSREG_CR4] = CR4_LASS;
	sysregs[SYSREG_EFER] = 0;
	code_is_64 = false;
	IS(0x80000000, 0x80000000);
}

/* From the last byte of the supervisor's half to the first of the user's. */
static void lass_looks_at_both_ends(void **state)
{
	gva_t linear;

	(void)state;
	sysregs[SYSREG_CR4] = CR4_LASS | CR4_SMAP;
	assert_int_equal(guest_linear(&vcpu, SEG_DS, ~0ull, 1, false, &linear), 0);
	assert_int_equal(guest_linear(&vcpu, SEG_DS, ~0ull, 2, false, &linear), -EFAULT);
	assert_int_equal(guest_linear(&vcpu, SEG_DS, ~2ull, 4, false, &linear), -EFAULT);
	sysregs[SYSREG_RFLAGS] = RFLAGS_AC;
	assert_int_equal(guest_linear(&vcpu, SEG_DS, ~0ull, 2, false, &linear), 0);
	cpl = 3;
	assert_int_equal(guest_linear(&vcpu, SEG_DS, ~0ull, 2, false, &linear), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(addresses_are_canonical, setup),
		cmocka_unit_test_setup(user_tags_of_15_bits, setup),
		cmocka_unit_test_setup(user_tags_of_6_bits, setup),
		cmocka_unit_test_setup(supervisor_tags, setup),
		cmocka_unit_test_setup(all_of_an_access_counts, setup),
		cmocka_unit_test_setup(other_modes_have_no_tags, setup),
		cmocka_unit_test_setup(lass_parts_user_and_supervisor, setup),
		cmocka_unit_test_setup(lass_looks_at_both_ends, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
