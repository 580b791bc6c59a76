/* SPDX-License-Identifier: MIT */
/*
 * Views: two vCPUs access watched and patched pages, by the tables that each uses, as a CPU would.
 */
#include "tests/unit/ept_pages.h"
#include "tests/unit/stubs.h"
#include <sys/syscall.h>
#include <asm/prctl.h>
#include <unistd.h>
#include "arch/x86/paging.h"
#include "ept/sppt.h"
#include "ept/view.h"
#include "errno.h"
#include "lib/pages.h"
#include "vmm/memslot.h"
#include "vmm/mmu.h"
#include "vmm/step.h"
#include "vmm/vcpu.h"
#include "vmm/view.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

#define FIRST  MIB(4) /* guest memory: two pages */
#define SECOND (FIRST + PAGE_SIZE)

static u8 memory[2 * PAGE_SIZE] __aligned(4096);
static struct vm vm;
static struct vcpu vcpus[2];
static struct cpu cpus2[2];
static u64 pointers[2]; /* the tables that each vCPU uses */
static unsigned flushes, delays;
static u64 subpages;
static bool answers; /* the second vCPU takes changes over at once */

/* What the watcher has been told. */
static struct view_access last;
static unsigned told, dones, undones;

struct virt_ops virt_ops;

/* ---- What view.c uses ---- */

void *page_alloc(void)
{
	return alloc_page();
}

void *pages_alloc(size_t nr)
{
	static u8 view[16 * PAGE_SIZE] __aligned(4096);

	assert_true(nr <= 16);
	return memset(view, 0, sizeof(view));
}

void page_free(void *page)
{
	if (page)
		free_page(page);
}

u64 virt_to_phys(const void *p)
{
	return (uintptr_t)p + PA_OFFSET;
}

u64 gfn_to_hva(struct vm *of, gfn_t gfn)
{
	u64 at = (gfn << PAGE_SHIFT) - FIRST;

	(void)of;
	return at < sizeof(memory) ? (uintptr_t)memory + at : 0;
}

static void (*stepped[2])(struct vcpu *vcpu);

void vcpu_step(struct vcpu *vcpu, enum step_user user, void (*function)(struct vcpu *vcpu))
{
	assert_int_equal(user, STEP_VIEW);
	stepped[vcpu->id] = function;
}

void vcpu_cancel_step(struct vcpu *vcpu, enum step_user user)
{
	vcpu_step(vcpu, user, NULL);
}

void vcpu_make_request(struct vcpu *vcpu, u32 request)
{
	vcpu->requests |= request;
	if (vcpu->id == 1 && answers)
		vm.view_ops->load(vcpu);
}

static void delay_interrupts(struct vcpu *vcpu)
{
	(void)vcpu;
	delays++;
}

static void use_tables(struct vcpu *vcpu, u64 pointer, bool flush)
{
	pointers[vcpu->id] = pointer;
	flushes += flush;
}

static void use_subpages(struct vcpu *vcpu, u64 pointer)
{
	(void)vcpu;
	subpages = pointer;
}

static void flush_tlb(struct vcpu *vcpu)
{
	(void)vcpu;
	flushes++;
}

static bool keeps_page(struct vm *of, gpa_t gpa)
{
	(void)of;
	return gpa >= MIB(6) && gpa < MIB(7);
}

static int other_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	ept_map_hole(&vcpu->vm->ept, fault->address, MIB(2), MEMTYPE_UC);
	return 1;
}

static void accesses(struct vcpu *vcpu, const struct view_access *access)
{
	(void)vcpu;
	last = *access;
	told++;
}

static void ended(struct vcpu *vcpu, bool done)
{
	(void)vcpu;
	dones += done;
	undones += !done;
}

/* ---- The CPU ---- */

static const struct ept_mapping *walk(struct vcpu *vcpu, gpa_t gpa)
{
	static struct ept_mapping map;
	struct ept used = vm.ept;

	used.root = (u64 *)(uintptr_t)((pointers[vcpu->id] & EPT_ADDR_MASK) - PA_OFFSET);
	ept_walk(&used, gpa, &map);
	return &map;
}

/* Access @gpa, and exit as often as needed. Returns the host-physical address. */
static hpa_t touch(struct vcpu *vcpu, gpa_t gpa, unsigned kinds)
{
	struct page_fault fault = {
		.kind = FAULT_SECOND_LEVEL,
		.address = gpa,
		.write = kinds & EPT_W,
		.fetch = kinds & EPT_X,
	};

	for (unsigned i = 0; i < 5; i++) {
		const struct ept_mapping *map = walk(vcpu, gpa);

		if ((map->prot & kinds) == kinds)
			return map->hpa;
		assert_int_equal(vm.view_ops->page_fault(vcpu, &fault), 1);
	}
	fail();
	return 0;
}

/* The instruction has ended. */
static void step(struct vcpu *vcpu)
{
	void (*function)(struct vcpu *) = stepped[vcpu->id];

	stepped[vcpu->id] = NULL;
	if (function)
		function(vcpu);
}

static bool is_in_view(struct vcpu *vcpu)
{
	return pointers[vcpu->id] != ept_pointer(&vm.ept);
}

static unsigned closed(gpa_t gpa)
{
	struct ept_mapping map;

	ept_walk(&vm.ept, gpa, &map);
	return map.prot;
}

static int setup(void **state)
{
	static const struct vm_ops vm_ops = {.page_fault = other_page_fault,
					     .keeps_page = keeps_page};
	static const struct view_watcher watcher = {accesses, ended};
	const struct ept_caps caps = {
		.page_2m = true, .page_1g = true, .exec_only = true, .phys_bits = 52};

	(void)state;
	fail_after = ~0ull;
	answers = true;
	told = dones = undones = flushes = delays = 0;
	pages_allocated = 0;
	subpages = 0;
	for (unsigned i = 0; i < sizeof(memory); i++)
		memory[i] = (u8)(i * 7);
	virt_ops = (struct virt_ops){.use_tables = use_tables,
				     .use_subpages = use_subpages,
				     .flush_tlb = flush_tlb,
				     .delay_interrupts = delay_interrupts};
	memset(&vm, 0, sizeof(vm));
	vm.ops = &vm_ops;
	assert_int_equal(ept_init(&vm.ept, &ops, &caps), 0);
	assert_int_equal(ept_map(&vm.ept, 0, 0, GIB(1), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(
		ept_map(&vm.ept, FIRST, virt_to_phys(memory), sizeof(memory), EPT_RWX, MEMTYPE_WB),
		0);
	memset(vcpus, 0, sizeof(vcpus));
	for (vm.nr_vcpus = 0; vm.nr_vcpus < 2; vm.nr_vcpus++) {
		struct vcpu *vcpu = &vcpus[vm.nr_vcpus];

		*vcpu = (struct vcpu){.vm = &vm, .id = vm.nr_vcpus, .mp_state = MP_STATE_RUNNABLE};
		vm.vcpus[vm.nr_vcpus] = vcpu;
		pointers[vcpu->id] = ept_pointer(&vm.ept);
		stepped[vcpu->id] = NULL;
		cpus2[vcpu->id] = (struct cpu){.self = &cpus2[vcpu->id], .vcpu = vcpu};
	}
	/* this_cpu() */
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpus2[0]), 0);
	view_set_watcher(&watcher);
	return 0;
}

/* Free the sub-page permission table, which has one table of each level. */
static void free_subpages(void)
{
	u64 pa = subpages;

	for (int shift = 39; pa && shift >= 12; shift -= 9) {
		u64 *table = (u64 *)(uintptr_t)(pa - PA_OFFSET);

		pa = table[FIRST >> shift & 511] & EPT_ADDR_MASK;
		free(table);
	}
}

/* Everything has been freed but what a VM keeps: the vCPUs' view_vcpu and tables. */
static int teardown(void **state)
{
	(void)state;
	free_subpages();
	for (unsigned i = 0; i < 2; i++) {
		if (vcpus[i].view)
			ept_view_free((struct ept_view *)vcpus[i].view, &vm.ept);
		page_free(vcpus[i].view);
	}
	ept_unmap(&vm.ept, 0, EPT_GPA_END);
	ept_reclaim(&vm.ept);
	page_free(vm.ept.root);
	return 0;
}

static void one_vcpu_uses_a_view(void **state)
{
	(void)state;
	assert_int_equal(view_watch(&vm, FIRST + 0x10, EPT_W, ~0u), 0);
	assert_int_equal(closed(FIRST), EPT_R | EPT_X);
	assert_int_equal(closed(SECOND), EPT_RWX);
	touch(&vcpus[0], FIRST, EPT_R);
	touch(&vcpus[0], FIRST, EPT_X);
	assert_int_equal(told, 0);
	assert_int_equal(touch(&vcpus[0], FIRST + 8, EPT_R | EPT_W), virt_to_phys(memory) + 8);
	assert_int_equal(told, 1);
	assert_int_equal(last.gpa, FIRST + 8);
	assert_int_equal(last.kind, EPT_W);
	assert_true(is_in_view(&vcpus[0]) && !is_in_view(&vcpus[1]));
	/* The other one exits by itself. */
	touch(&vcpus[1], FIRST + 16, EPT_W);
	assert_int_equal(told, 2);
	step(&vcpus[0]);
	assert_true(!is_in_view(&vcpus[0]) && is_in_view(&vcpus[1]));
	step(&vcpus[1]);
	assert_int_equal(dones, 2);
	/* Each use of the tables begins with a flush, as the last may be cached. */
	flushes = 0;
	touch(&vcpus[0], FIRST + 8, EPT_W);
	assert_int_equal(flushes, 1);
	step(&vcpus[0]);
	assert_int_equal(view_watch(&vm, FIRST, 0, 0), 0);
	assert_int_equal(closed(FIRST), EPT_RWX);
	touch(&vcpus[0], FIRST + 8, EPT_W);
	assert_int_equal(told, 3);
}

static void each_page_and_kind_exits(void **state)
{
	(void)state;
	assert_int_equal(view_watch(&vm, FIRST, EPT_R | EPT_X, ~0u), 0);
	assert_int_equal(view_watch(&vm, SECOND, EPT_W, ~0u), 0);
	assert_int_equal(closed(FIRST), 0);
	touch(&vcpus[0], FIRST, EPT_X);
	assert_int_equal(last.kind, EPT_X);
	touch(&vcpus[0], FIRST + 1, EPT_R);
	assert_int_equal(last.kind, EPT_R);
	touch(&vcpus[0], SECOND + 2, EPT_W);
	assert_int_equal(last.gpa, SECOND + 2);
	assert_int_equal(told, 3);
	/* All are open until the end. */
	touch(&vcpus[0], FIRST, EPT_X);
	touch(&vcpus[0], FIRST, EPT_R);
	assert_int_equal(told, 3);
	/* A first touch elsewhere meanwhile is in the view, too. */
	touch(&vcpus[0], GIB(5), EPT_R);
	touch(&vcpus[0], SECOND, EPT_W);
	assert_int_equal(told, 3);
	step(&vcpus[0]);
	assert_int_equal(dones, 1);
	vm.ept.caps.exec_only = false;
	assert_int_equal(view_watch(&vm, FIRST, EPT_R, ~0u), 0);
	assert_int_equal(closed(FIRST), 0);
	touch(&vcpus[0], FIRST, EPT_X);
	assert_int_equal(walk(&vcpus[0], FIRST)->prot, EPT_R | EPT_X);
	step(&vcpus[0]);
}

static void what_comes_before_the_instruction_ends_the_view(void **state)
{
	(void)state;
	assert_int_equal(view_watch(&vm, FIRST, EPT_W, ~0u), 0);
	touch(&vcpus[0], FIRST, EPT_W);
	assert_int_equal(delays, 1);
	vcpus[0].event = (struct vcpu_event){.valid = true, .type = EVENT_EXCEPTION};
	vm.view_ops->event(&vcpus[0]);
	assert_true(is_in_view(&vcpus[0]));
	vcpus[0].event.type = EVENT_NMI;
	vm.view_ops->event(&vcpus[0]);
	assert_false(is_in_view(&vcpus[0]));
	assert_null(stepped[0]);
	assert_true(undones == 1 && !dones);
	/* The delivery of that event is an access of its own. */
	touch(&vcpus[0], FIRST, EPT_W);
	assert_true(last.event);
	vm.view_ops->event(&vcpus[0]);
	assert_true(is_in_view(&vcpus[0]));
	vm.view_ops->cancel(&vcpus[0]);
	vm.view_ops->cancel(&vcpus[0]);
	assert_int_equal(undones, 2);
	/* A watch that ends in the middle of an instruction. */
	vcpus[0].event.valid = false;
	touch(&vcpus[0], FIRST, EPT_W);
	assert_int_equal(view_watch(&vm, FIRST, 0, 0), 0);
	vm.view_ops->load(&vcpus[0]);
	touch(&vcpus[0], FIRST, EPT_W);
	step(&vcpus[0]);
	assert_int_equal(dones, 1);
}

static u8 byte_at(hpa_t hpa)
{
	return *(const u8 *)(uintptr_t)(hpa - PA_OFFSET);
}

static void patches_are_executed_and_not_read(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(view_watch(&vm, SECOND, EPT_W, ~0u), 0);
	before = pages_allocated;
	assert_int_equal(view_patch(&vm, FIRST + 5, 0xcc), 0);
	assert_int_equal(view_patch(&vm, FIRST + 9, 0x90), 0);
	assert_int_equal(closed(FIRST), EPT_X);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 5, EPT_X)), 0xcc);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 6, EPT_X)), memory[6]);
	assert_true(view_is_patched(&vm, FIRST + 5) && !view_is_patched(&vm, FIRST + 6));
	assert_int_equal(touch(&vcpus[0], FIRST + 5, EPT_R), virt_to_phys(memory) + 5);
	step(&vcpus[0]);
	/* The guest writes there. */
	assert_int_equal(touch(&vcpus[1], FIRST + 5, EPT_W), virt_to_phys(memory) + 5);
	memory[5] = 1;
	memory[6] = 2;
	step(&vcpus[1]);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 5, EPT_X)), 0xcc);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 6, EPT_X)), 2);
	/* So does Glasshouse. */
	memory[7] = 3;
	vm.view_ops->written(&vm, FIRST + 7);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 7, EPT_X)), 3);
	/* One vCPU executes its own bytes once. */
	view_skip_patch(&vcpus[0], FIRST + 5);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 5, EPT_X)), 1);
	assert_int_equal(byte_at(touch(&vcpus[1], FIRST + 5, EPT_X)), 0xcc);
	step(&vcpus[0]);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 5, EPT_X)), 0xcc);
	assert_int_equal(told, 0);
	assert_int_equal(view_unpatch(&vm, FIRST + 6), -ENOENT);
	assert_int_equal(view_unpatch(&vm, FIRST + 5), 0);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 5, EPT_X)), 1);
	assert_int_equal(byte_at(touch(&vcpus[0], FIRST + 9, EPT_X)), 0x90);
	assert_int_equal(view_unpatch(&vm, FIRST + 9), 0);
	assert_int_equal(closed(FIRST), EPT_RWX);
	assert_int_equal(pages_allocated, before);
}

static void writes_beside_the_watched_part(void **state)
{
	struct ept_mapping map;

	(void)state;
	vm.ept.caps.subpage = true;
	assert_int_equal(view_watch(&vm, FIRST, EPT_W, 0x2), 0);
	assert_int_equal(subpages & ~EPT_ADDR_MASK, 0);
	assert_true(subpages);
	ept_walk(&vm.ept, FIRST, &map);
	assert_true(map.entry & BIT(61));
	/* Not for a page that is read, or all of whose parts are watched. */
	assert_int_equal(view_watch(&vm, FIRST, EPT_W, ~0u), 0);
	ept_walk(&vm.ept, FIRST, &map);
	assert_false(map.entry & BIT(61));
	assert_int_equal(view_watch(&vm, FIRST, EPT_R | EPT_W, 2), 0);
	ept_walk(&vm.ept, FIRST, &map);
	assert_false(map.entry & BIT(61));
}

static void refusals(void **state)
{
	(void)state;
	fail_after = 3;
	assert_int_equal(view_watch(&vm, FIRST, EPT_W, ~0u), -ENOMEM);
	fail_after = ~0ull;
	assert_int_equal(view_watch(&vm, MIB(6), EPT_W, ~0u), -EBUSY);
	assert_int_equal(view_patch(&vm, MIB(6), 1), -EBUSY);
	assert_int_equal(view_watch(&vm, GIB(3), EPT_W, ~0u), -EFAULT);
	assert_int_equal(view_patch(&vm, MIB(8), 1), -EFAULT);
	for (unsigned i = 0; i < VIEW_PAGES; i++)
		assert_int_equal(view_watch(&vm, MIB(16) + i * PAGE_SIZE, EPT_W, ~0u), 0);
	assert_int_equal(view_watch(&vm, FIRST, EPT_W, ~0u), -ENOSPC);
	assert_int_equal(view_watch(&vm, MIB(16), 0, 0), 0);
	for (unsigned i = 0; i < VIEW_PATCHES; i++)
		assert_int_equal(view_patch(&vm, FIRST + i, 1), 0);
	assert_int_equal(view_patch(&vm, FIRST + 0x100, 1), -ENOSPC);
	assert_int_equal(view_patch(&vm, FIRST, 2), 0);
	vm.ept.caps.exec_only = false;
	assert_int_equal(view_patch(&vm, FIRST, 2), -EOPNOTSUPP);
	for (unsigned i = 0; i < VIEW_PATCHES; i++)
		assert_int_equal(view_unpatch(&vm, FIRST + i), 0);
}

static void without_memory_a_page_is_given_up(void **state)
{
	(void)state;
	assert_int_equal(view_watch(&vm, FIRST, EPT_W, ~0u), 0);
	assert_int_equal(view_watch(&vm, MIB(700), EPT_W, ~0u), 0);
	touch(&vcpus[0], FIRST, EPT_W);
	fail_after = 0;
	log_clear();
	touch(&vcpus[0], MIB(700), EPT_W);
	assert_true(log_has("no memory left to watch guest-physical 2bc00000"));
	fail_after = ~0ull;
	step(&vcpus[0]);
	told = 0;
	touch(&vcpus[1], MIB(700), EPT_W);
	assert_int_equal(told, 0);
	touch(&vcpus[1], FIRST, EPT_W);
	assert_int_equal(told, 1);
	step(&vcpus[1]);
}

/* Tables that a merge has removed are freed once all vCPUs have flushed. */
static void a_vcpu_that_does_not_answer(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(view_watch(&vm, MIB(700), EPT_W, ~0u), 0);
	before = pages_allocated;
	answers = false;
	assert_int_equal(view_watch(&vm, MIB(700), 0, 0), 0);
	assert_int_equal(pages_allocated, before);
	assert_non_null(vm.ept.retired);
	vm.view_ops->load(&vcpus[1]);
	answers = true;
	assert_int_equal(view_watch(&vm, FIRST, 0, 0), 0);
	assert_null(vm.ept.retired);
	assert_int_equal(pages_allocated, before - 1);
	/* One that waits for a SIPI executes nothing: nobody waits for it. */
	vcpus[1].mp_state = MP_STATE_WAIT_FOR_SIPI;
	answers = false;
	assert_int_equal(view_watch(&vm, MIB(700), EPT_W, ~0u), 0);
	assert_int_equal(view_watch(&vm, MIB(700), 0, 0), 0);
	assert_null(vm.ept.retired);
	assert_true(vcpus[1].requests & REQ_VIEW);
}

/* Nor is the copy of a patched page freed before that. */
static void an_old_copy_is_freed_later(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(view_patch(&vm, FIRST, 0xcc), 0);
	assert_int_equal(view_patch(&vm, SECOND, 0xcc), 0);
	before = pages_allocated;
	answers = false;
	assert_int_equal(view_unpatch(&vm, FIRST), 0);
	assert_int_equal(view_unpatch(&vm, SECOND), 0);
	assert_int_equal(pages_allocated, before);
	answers = true;
	assert_int_equal(view_patch(&vm, FIRST, 0xcc), 0);
	assert_int_equal(pages_allocated, before - 1); /* two are free, one is new */
	/* Given up, without memory: the other vCPU is told. */
	assert_int_equal(view_watch(&vm, MIB(700), EPT_W, ~0u), 0);
	touch(&vcpus[0], MIB(700), EPT_W);
	before = pages_allocated;
	vcpus[1].requests = 0;
	answers = false;
	fail_after = 0;
	log_clear();
	view_skip_patch(&vcpus[0], FIRST);
	fail_after = ~0ull;
	assert_true(log_has("breakpoints there are removed"));
	assert_true(vcpus[1].requests & REQ_VIEW);
	assert_int_equal(pages_allocated, before);
	answers = true;
	step(&vcpus[0]);
	assert_int_equal(view_watch(&vm, SECOND, EPT_W, ~0u), 0);
	assert_int_equal(pages_allocated, before - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_vcpu_uses_a_view),
		TEST(each_page_and_kind_exits),
		TEST(what_comes_before_the_instruction_ends_the_view),
		TEST(patches_are_executed_and_not_read),
		TEST(writes_beside_the_watched_part),
		TEST(refusals),
		TEST(without_memory_a_page_is_given_up),
		TEST(a_vcpu_that_does_not_answer),
		TEST(an_old_copy_is_freed_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
