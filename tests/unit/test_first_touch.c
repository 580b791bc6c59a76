// SPDX-License-Identifier: MIT
/*
 * The first access of VM 0 to an address that no table maps yet: what is mapped there, with which
 * memory type, also where bits of the address are a KeyID.
 */
#include "tests/unit/ept_pages.h"

#include "arch/x86/msr.h"
#include "vmm/virt_ops.h"

/* The tests make the MTRRs. */
static int no_msr(u32 msr)
{
	(void)msr;
	return -EFAULT;
}

#define rdmsr_safe(msr, value) no_msr(msr)
#include "vmm/vm0/memory.c"
#undef rdmsr_safe

#define PHYS_BITS 46
#define KEY(n)    ((u64)(n) << 40) /* 6 bits of KeyID: 45:40 */
#define HIDDEN    0x7fe00000ull
#define DEVICE    GIB(8) /* 1 MiB of write-combining in memory that the MTRRs make write-back */
#define PLAIN     GIB(16)

static struct vm0 vm0;
static struct vcpu vcpu;
static gpa_t hidden_access, lapic_write;
static bool trapped; /* the local APIC's page */

struct virt_ops virt_ops;

/* ---- What vmm/vm0/memory.c uses ---- */

u8 cpu_phys_bits(void)
{
	return PHYS_BITS;
}

int map_hidden(struct vm0 *of, gpa_t gpa)
{
	(void)of;
	(void)gpa;
	return 0;
}

int emulate_hidden_access(struct vcpu *by, const struct page_fault *fault)
{
	(void)by;
	hidden_access = fault->address;
	return 1;
}

bool icr_page_fault(const struct vm0 *of, gpa_t gpa)
{
	return trapped && ALIGN_DOWN(gpa, PAGE_SIZE) == of->lapic_gpa;
}

int emulate_lapic_write(struct vcpu *by, const struct page_fault *fault)
{
	(void)by;
	lapic_write = fault->address;
	return 1;
}

void queue_exception_e(struct vcpu *to, u8 vector, u32 error_code)
{
	to->event = (struct vcpu_event){
		.valid = true, .vector = vector, .has_error_code = true, .error_code = error_code};
}

int set_memory_region(struct vm *vm, gfn_t first, u64 nr, u64 hva)
{
	(void)vm;
	(void)first;
	(void)nr;
	(void)hva;
	return 0;
}

/* ---- */

static void set_var(unsigned n, u64 base, u64 size, unsigned type)
{
	struct mtrr_state *m = &vm0.mtrr;

	m->var[n].base = base | type;
	m->var[n].mask = (~(size - 1) & GENMASK(m->phys_bits - 1, 12)) | BIT(11);
	m->nr_var = (u8)(n + 1);
}

/* A machine of which nothing is mapped yet, with KeyIDs or without. */
static void make(u64 activate, bool page_1g)
{
	struct ept_caps caps = {.page_2m = true, .page_1g = page_1g, .phys_bits = PHYS_BITS};

	memset(&vm0, 0, sizeof(vm0));
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.vm = &vm0.vm;
	hidden_access = lapic_write = 0;
	trapped = false;
	log_clear();
	assert_int_equal(ept_init(&vm0.vm.ept, &ops, &caps), 0);
	vm0.keyid_mask = keyid_mask(activate, PHYS_BITS);
	vm0.mtrr = (struct mtrr_state){.enabled = true, .default_type = MEMTYPE_UC};
	read_mtrrs(&vm0.mtrr, vm0.keyid_mask);
	assert_int_equal(vm0.mtrr.phys_bits, activate ? 40 : PHYS_BITS);
	set_var(0, 0, GIB(2), MEMTYPE_WB);
	set_var(1, GIB(4), GIB(4), MEMTYPE_WB);
	set_var(2, DEVICE, MIB(1), MEMTYPE_WC);
	vm0.plain_from = PLAIN;
	vm0.plain_type = MEMTYPE_UC;
	vm0.lapic_gpa = 0xfee00000;
	vm0.hidden[0] = (struct mem_range){HIDDEN, MIB(1), MEM_RESERVED};
	vm0.nr_hidden = 1;
}

static void end(void)
{
	struct ept *ept = &vm0.vm.ept;

	assert_int_equal(ept_unmap(ept, 0, BIT(PHYS_BITS)), 0);
	ept_reclaim(ept);
	free_page(ept->root);
	assert_int_equal(pages_allocated, 0);
}

#define ACTIVE (BIT(0) | BIT(1) | 6ull << 32)

static int touch(gpa_t gpa, bool write)
{
	struct page_fault fault = {.kind = FAULT_SECOND_LEVEL, .address = gpa, .write = write};

	return vm0_page_fault(&vcpu, &fault);
}

/* The access maps @size bytes around @gpa, to themselves, of @type. */
static void maps(gpa_t gpa, u64 size, unsigned type)
{
	struct ept_mapping map;

	assert_int_equal(touch(gpa, true), 1);
	assert_true(ept_walk(&vm0.vm.ept, gpa, &map));
	assert_int_equal(map.size, size);
	assert_int_equal(map.hpa & ~(size - 1), gpa & ~(size - 1));
	assert_int_equal(map.memtype, type);
	assert_int_equal(map.prot, EPT_RWX);
	assert_false(vcpu.event.valid);
	assert_int_equal(hidden_access, 0);
}

static void memory_has_its_type(void **state)
{
	(void)state;
	make(0, true);
	maps(GIB(5) + 0x1234, GIB(1), MEMTYPE_WB);
	maps(DEVICE + 0x5678, PAGE_SIZE, MEMTYPE_WC);
	maps(DEVICE + MIB(2), MIB(2), MEMTYPE_UC);
	maps(PLAIN + GIB(3), GIB(1), MEMTYPE_UC);
	maps(KEY(1) + GIB(5), GIB(1), MEMTYPE_UC); /* these bits are address here */
	end();
	make(0, false);
	maps(GIB(5) + 0x1234, MIB(2), MEMTYPE_WB);
	end();
}

/* The same memory by another name has the same type. */
static void an_alias_has_the_type_of_its_memory(void **state)
{
	(void)state;
	make(ACTIVE, true);
	for (u64 key = 1; key < 64; key += 31) {
		maps(KEY(key) + 0x1000, GIB(1), MEMTYPE_WB); /* below 4 GiB, too */
		maps(KEY(key) + GIB(2), GIB(1), MEMTYPE_UC);
		maps(KEY(key) + GIB(5), GIB(1), MEMTYPE_WB);
		maps(KEY(key) + DEVICE + 0x5678, PAGE_SIZE, MEMTYPE_WC);
		maps(KEY(key) + PLAIN, GIB(1), MEMTYPE_UC);
	}
	end();
}

/* Whatever its KeyID, and whatever the page around it would be. */
static void hidden_memory_is_never_mapped(void **state)
{
	struct ept_mapping map;

	(void)state;
	make(ACTIVE, true);
	for (u64 key = 0; key < 64; key++) {
		gpa_t at = KEY(key) + HIDDEN + MIB(1) - 1;

		maps(KEY(key) + HIDDEN - 1, MIB(2), MEMTYPE_WB);
		maps(KEY(key) + HIDDEN + MIB(1), PAGE_SIZE, MEMTYPE_WB);
		assert_int_equal(touch(at, key & 1), 1);
		assert_int_equal(hidden_access, at);
		assert_false(ept_walk(&vm0.vm.ept, at, &map));
		hidden_access = 0;
	}
	end();
}

/* A guest that touches all of a GiB with hidden pages, with each KeyID. */
static void aliases_use_few_tables(void **state)
{
	unsigned before;

	(void)state;
	make(ACTIVE, true);
	for (u64 key = 1; key < 64; key++) {
		before = pages_allocated;
		for (gpa_t at = ALIGN_DOWN(HIDDEN, GIB(1)); at < GIB(2); at += PAGE_SIZE)
			touch(KEY(key) + at, true);
		/* One table of each level below the root's. */
		assert_int_equal(pages_allocated - before, 3);
	}
	end();
}

static void the_local_apic_stays_trapped(void **state)
{
	struct ept_mapping map;

	(void)state;
	make(ACTIVE, true);
	trapped = true;
	assert_int_equal(
		ept_map(&vm0.vm.ept, vm0.lapic_gpa, vm0.lapic_gpa, PAGE_SIZE, EPT_R, MEMTYPE_UC),
		0);
	touch(vm0.lapic_gpa + 0x300, true);
	assert_int_equal(lapic_write, vm0.lapic_gpa + 0x300);
	lapic_write = 0;
	touch(KEY(3) + vm0.lapic_gpa + 0x300, true);
	assert_int_equal(hidden_access, KEY(3) + vm0.lapic_gpa + 0x300);
	assert_int_equal(lapic_write, 0);
	assert_false(ept_walk(&vm0.vm.ept, KEY(3) + vm0.lapic_gpa, &map));
	end();
}

/* Another CPU has mapped it meanwhile; or the access is not allowed. */
static void what_is_mapped_stays(void **state)
{
	(void)state;
	make(0, true);
	maps(GIB(5), GIB(1), MEMTYPE_WB);
	maps(GIB(5) + MIB(3), GIB(1), MEMTYPE_WB);
	assert_int_equal(ept_map(&vm0.vm.ept, GIB(12), GIB(12), PAGE_SIZE, EPT_R, MEMTYPE_UC), 0);
	assert_int_equal(touch(GIB(12), true), 1);
	assert_true(vcpu.event.valid && vcpu.event.vector == GP_VECTOR);
	assert_true(log_has("may not be written"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_has_its_type),
		cmocka_unit_test(an_alias_has_the_type_of_its_memory),
		cmocka_unit_test(hidden_memory_is_never_mapped),
		cmocka_unit_test(aliases_use_few_tables),
		cmocka_unit_test(the_local_apic_stays_trapped),
		cmocka_unit_test(what_is_mapped_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
