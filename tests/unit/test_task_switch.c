// SPDX-License-Identifier: MIT
/*
 * Emulated task switches, in a guest with 32-bit paging: CR3, and what the CPU's own accesses to
 * TSSs and descriptors may read and write.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/guest_registers.h"
#include "arch/x86/cpu.h"

/* Instead of the instruction. */
static u64 cr2;
#define write_cr2(value) (cr2 = (value))

#include "vmm/x86/guest_mem.c"
#include "vmm/x86/task_switch.c"

#define PAGES     16u
#define DIRECTORY 0x1000u /* the old task's */
#define OTHER     0x2000u /* the new task's */
#define TABLE     0x3000u
#define TABLE2    0x4000u
#define GDT       0x5000u
#define GDT2      0x6000u
#define TSS_OLD   0x7000u
#define TSS_NEW   0x8000u

#define CODE   0x08
#define DATA   0x10
#define FIRST  0x18 /* TSS_OLD */
#define SECOND 0x20 /* TSS_NEW */
#define ALL    (PT_P | PT_W)

struct virt_ops virt_ops;

static u8 memory[PAGES * PAGE_SIZE] __aligned(4096);
static struct vm vm;
static struct vcpu vcpu = {.vm = &vm};
static unsigned cr3_loads;
static int vector; /* of the exception that is queued; -1: none */
static u32 error;

/* ---- What the code under test calls ---------------------------------------------------------- */

static void count_sysreg(struct vcpu *v, enum sysreg reg, u64 value)
{
	set_sysreg(v, reg, value);
	cr3_loads += reg == SYSREG_CR3;
}

static void skip_to(struct vcpu *v, u64 rip)
{
	(void)v;
	sysregs[SYSREG_RIP] = rip;
}

static bool uses_second_level(void)
{
	return true;
}

void queue_exception_e(struct vcpu *v, u8 number, u32 code)
{
	(void)v;
	assert_int_equal(vector, -1);
	vector = number;
	error = code;
}

u64 gfn_to_hva(struct vm *v, gfn_t gfn)
{
	(void)v;
	return gfn < PAGES ? (u64)memory + (gfn << PAGE_SHIFT) : 0;
}

void *gpa_to_ptr(struct vm *v, gpa_t gpa, u64 len)
{
	(void)v;
	return gpa + len <= sizeof(memory) ? memory + gpa : NULL;
}

int read_guest(struct vm *v, gpa_t gpa, void *buf, size_t len)
{
	if (!gpa_to_ptr(v, gpa, len))
		return -EFAULT;
	memcpy(buf, memory + gpa, len);
	return 0;
}

int write_guest(struct vm *v, gpa_t gpa, const void *buf, size_t len)
{
	if (!gpa_to_ptr(v, gpa, len))
		return -EFAULT;
	memcpy(memory + gpa, buf, len);
	return 0;
}

int guest_linear(struct vcpu *v, enum segment_reg reg, u64 offset, u32 len, bool write, gva_t *gva)
{
	(void)v;
	(void)len;
	(void)write;
	*gva = segments[reg].base + offset;
	return 0;
}

/* ---- The guest ------------------------------------------------------------------------------- */

static u32 *entry(u32 table, u32 address)
{
	return (u32 *)(memory + table) + (address >> 12 & 1023);
}

static void describe(u32 gdt, u16 selector, u32 base, u64 limit, u64 access)
{
	u64 desc = limit | (u64)(base & 0xffffff) << 16 | access << 40 | (u64)(base >> 24) << 56;

	memcpy(memory + gdt + selector, &desc, sizeof(desc));
}

static u8 access_of(u16 selector)
{
	return memory[GDT + selector + 5];
}

static struct tss32 *tss(u32 at)
{
	return (struct tss32 *)(memory + at);
}

/* Both address spaces map each page to itself. */
static int setup(void **state)
{
	(void)state;
	virt_ops = (struct virt_ops){.get_sysreg = get_sysreg,
				     .set_sysreg = count_sysreg,
				     .get_segment = get_segment,
				     .set_segment = set_segment,
				     .skip_to = skip_to,
				     .uses_second_level = uses_second_level};
	memset(memory, 0, sizeof(memory));
	memset(sysregs, 0, sizeof(sysregs));
	memset(segments, 0, sizeof(segments));
	*entry(DIRECTORY, 0) = TABLE | ALL | PT_U;
	*entry(OTHER, 0) = TABLE2 | ALL | PT_U;
	for (u32 at = 0; at < sizeof(memory); at += PAGE_SIZE)
		*entry(TABLE, at) = *entry(TABLE2, at) = at | ALL;
	for (u32 gdt = GDT; gdt <= GDT2; gdt += PAGE_SIZE) {
		describe(gdt, CODE, 0, 0xffff, 0xcf9b);
		describe(gdt, DATA, 0, 0xffff, 0xcf93);
		describe(gdt, FIRST, TSS_OLD, 0x67, 0x8b);
		describe(gdt, SECOND, TSS_NEW, 0x67, 0x89);
	}
	segments[SEG_GDTR] = (struct segment){.base = GDT, .limit = 0x27};
	segments[SEG_TR] =
		(struct segment){.selector = FIRST, .base = TSS_OLD, .limit = 0x67, .ar = 0x8b};
	sysregs[SYSREG_CR0] = CR0_PG | CR0_PE | CR0_WP;
	sysregs[SYSREG_CR3] = DIRECTORY;
	*tss(TSS_NEW) = (struct tss32){.cr3 = OTHER, .eip = 0x1234, .eflags = 2};
	for (enum segment_reg i = SEG_ES; i <= SEG_GS; i++)
		tss(TSS_NEW)->seg[i].selector = i == SEG_CS ? CODE : DATA;
	cr3_loads = 0;
	vector = -1;
	return 0;
}

static void jump(void)
{
	task_switch(&vcpu, SECOND, TASK_BY_JMP, 7);
}

/* It has begun, and nothing has faulted. */
static void assert_switched(void)
{
	assert_int_equal(vector, -1);
	assert_int_equal(segments[SEG_TR].selector, SECOND);
	assert_int_equal(sysregs[SYSREG_RIP], 0x1234);
	assert_int_equal(access_of(FIRST), 0x89);
	assert_int_equal(access_of(SECOND), 0x8b);
	assert_int_equal(segments[SEG_DS].limit, 0xffffffff);
}

/* #PF in the old task: nothing has changed. */
static void assert_refused(u32 code, gva_t address)
{
	assert_int_equal(vector, PF_VECTOR);
	assert_int_equal(error, code);
	assert_int_equal(cr2, address);
	assert_int_equal(segments[SEG_TR].selector, FIRST);
	assert_int_equal(access_of(FIRST), 0x8b);
	assert_int_equal(access_of(SECOND), 0x89);
	assert_int_equal(cr3_loads, 0);
}

/* ---- The tests ------------------------------------------------------------------------------- */

static void cr3_is_the_new_tasks(void **state)
{
	(void)state;
	jump();
	assert_switched();
	assert_int_equal(cr3_loads, 1);
	assert_int_equal(sysregs[SYSREG_CR3], OTHER);
}

/* SDM: "PDPTE Registers"; "Operations that Invalidate TLBs and Paging-Structure Caches". */
static void the_same_cr3_is_not_loaded(void **state)
{
	(void)state;
	tss(TSS_NEW)->cr3 = DIRECTORY;
	jump();
	assert_switched();
	assert_int_equal(cr3_loads, 0);
}

static void without_paging_cr3_stays(void **state)
{
	(void)state;
	sysregs[SYSREG_CR0] &= ~CR0_PG;
	jump();
	assert_switched();
	assert_int_equal(sysregs[SYSREG_CR3], DIRECTORY);
}

static void a_16_bit_task_has_no_cr3(void **state)
{
	struct tss16 *t = (struct tss16 *)(memory + TSS_NEW);

	(void)state;
	memset(t, 0, sizeof(*t));
	t->ip = 0x1234;
	for (enum segment_reg i = SEG_ES; i <= SEG_DS; i++)
		t->seg[i] = i == SEG_CS ? CODE : DATA;
	describe(GDT, SECOND, TSS_NEW, 0x2b, 0x81);
	jump();
	assert_int_equal(vector, -1);
	assert_int_equal(segments[SEG_TR].selector, SECOND);
	assert_int_equal(cr3_loads, 0);
}

/* The TSSs are where the old task's tables say, the segments where the new one's do. */
static void descriptors_are_the_new_tasks(void **state)
{
	(void)state;
	*entry(TABLE2, GDT) = GDT2 | ALL;
	*entry(TABLE2, TSS_NEW) = *entry(TABLE2, TSS_OLD) = 0;
	describe(GDT2, DATA, 0x100000, 0xffff, 0xcf92);
	jump();
	assert_switched();
	assert_int_equal(segments[SEG_DS].base, 0x100000);
	assert_int_equal(memory[GDT2 + DATA + 5], 0x93);
}

static void what_is_not_mapped_is_a_page_fault(void **state)
{
	(void)state;
	*entry(TABLE, TSS_NEW) = 0;
	jump();
	assert_refused(0, TSS_NEW);
	setup(state);
	*entry(TABLE, TSS_OLD) &= ~(u32)PT_W;
	jump();
	assert_refused(PF_ERROR_P | PF_ERROR_W, TSS_OLD + offsetof(struct tss32, eip));
	/* In the new task. */
	setup(state);
	*entry(TABLE2, GDT) = 0;
	jump();
	assert_int_equal(vector, PF_VECTOR);
	assert_int_equal(error, 0);
	assert_int_equal(cr2, GDT + CODE);
	assert_int_equal(segments[SEG_TR].selector, SECOND);
	/* Beyond the table's limit it is another one. */
	setup(state);
	tss(TSS_NEW)->seg[SEG_DS].selector = 0x28;
	jump();
	assert_int_equal(vector, TS_VECTOR);
	assert_int_equal(error, 0x28);
}

/* SMAP keeps the CPU from user pages, whatever AC is, at any CPL. */
static void smap_is_for_the_cpus_own_accesses(void **state)
{
	for (u64 ac = 0; ac <= RFLAGS_AC; ac += RFLAGS_AC) {
		for (u64 smap = 0; smap <= CR4_SMAP; smap += CR4_SMAP) {
			for (u32 page = TSS_OLD; page <= TSS_NEW; page += PAGE_SIZE) {
				setup(state);
				sysregs[SYSREG_RFLAGS] = ac;
				sysregs[SYSREG_CR4] = smap;
				*entry(TABLE, page) |= PT_U;
				jump();
				if (smap)
					assert_refused(PF_ERROR_P, page);
				else
					assert_switched();
			}
			setup(state);
			sysregs[SYSREG_CR4] = smap;
			*entry(TABLE2, GDT) |= PT_U;
			tss(TSS_NEW)->eflags |= (u32)ac;
			jump();
			assert_int_equal(vector, smap ? PF_VECTOR : -1);
			assert_int_equal(segments[SEG_TR].selector, SECOND);
			if (smap)
				assert_int_equal(error, PF_ERROR_P);
		}
	}
	/* But not the instruction's own, where AC is set. */
	setup(state);
	*entry(TABLE, TSS_NEW) |= PT_U;
	sysregs[SYSREG_CR4] = CR4_SMAP;
	sysregs[SYSREG_RFLAGS] = RFLAGS_AC;
	assert_int_equal(probe_guest_virt(&vcpu, TSS_NEW, 1, 0), 0);
	sysregs[SYSREG_RFLAGS] = 0;
	assert_int_equal(probe_guest_virt(&vcpu, TSS_NEW, 1, 0), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cr3_is_the_new_tasks, setup),
		cmocka_unit_test_setup(the_same_cr3_is_not_loaded, setup),
		cmocka_unit_test_setup(without_paging_cr3_stays, setup),
		cmocka_unit_test_setup(a_16_bit_task_has_no_cr3, setup),
		cmocka_unit_test_setup(descriptors_are_the_new_tasks, setup),
		cmocka_unit_test_setup(what_is_not_mapped_is_a_page_fault, setup),
		cmocka_unit_test_setup(smap_is_for_the_cpus_own_accesses, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
