/* SPDX-License-Identifier: MIT */
/*
 * Emulation of accesses to hidden memory. See hidden.h.
 */
#include "vmm/vm0/hidden.h"
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "vmm/event.h"
#include "vmm/step.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/wall.h"
#include "vmm/x86/emulate.h"

static int map_ones(struct vm0 *vm0, gpa_t gpa)
{
	if (!vm0->ones) {
		vm0->ones = page_alloc();
		if (!vm0->ones)
			return -ENOMEM;
		memset(vm0->ones, 0xff, PAGE_SIZE);
	}
	return ept_map(&vm0->vm.ept, ALIGN_DOWN(gpa, PAGE_SIZE), virt_to_phys(vm0->ones), PAGE_SIZE,
		       EPT_R | EPT_X, MEMTYPE_WB);
}

int map_hidden(struct vm0 *vm0, gpa_t gpa)
{
	gpa_t page = ALIGN_DOWN(gpa, PAGE_SIZE);

	if (!vm0_is_log(vm0, gpa))
		return map_ones(vm0, gpa);
	return ept_map_identity(&vm0->vm.ept, &vm0->mtrr, page, page + PAGE_SIZE, EPT_R);
}

/* The content of the page of @gpa if it is a page of the log; NULL: all ones. */
static const void *log_page(const struct vm0 *vm0, gpa_t gpa)
{
	return vm0_is_log(vm0, gpa) ? phys_to_virt(ALIGN_DOWN(gpa, PAGE_SIZE)) : NULL;
}

/*
 * Map a writable scratch page at @gpa, for writes that are not emulated (PUSH, CALL, x87, the
 * delivery of an event). There are VM0_SCRATCH_PAGES, which is more than one instruction writes to.
 * It begins as a copy of what it replaces. The page that was mapped longest ago is reused: its old
 * address gets what it had before.
 * A CPU that still caches the old translation writes to a page whose content does not matter. No
 * entry becomes empty, so no table becomes unused, and the guest cannot use up memory this way.
 */
static int map_scratch(struct vcpu *vcpu, gpa_t gpa)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	gpa_t *at = &vm0->scratch_gpa[vm0->next_scratch];
	const void *log = log_page(vm0, gpa);
	u8 *page;
	int r = 0;

	if (!vm0->scratch)
		vm0->scratch = pages_alloc(VM0_SCRATCH_PAGES);
	if (!vm0->scratch)
		return -ENOMEM;
	page = vm0->scratch + vm0->next_scratch * PAGE_SIZE;
	if (*at)
		r = map_hidden(vm0, *at);
	if (log)
		memcpy(page, log, PAGE_SIZE);
	else
		memset(page, 0xff, PAGE_SIZE);
	*at = ALIGN_DOWN(gpa, PAGE_SIZE);
	if (!r)
		r = ept_map(&vm0->vm.ept, *at, virt_to_phys(page), PAGE_SIZE, EPT_RWX, MEMTYPE_WB);
	vm0->next_scratch = (vm0->next_scratch + 1) % VM0_SCRATCH_PAGES;
	virt->flush_tlb(vcpu);
	return r;
}

static spinlock_t mapping;

/* The write has been executed: the guest reads the log itself again, not the copy in a scratch
 * page.
 */
static void restore_logs(struct vcpu *vcpu)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);

	spin_lock(&mapping);
	for (unsigned i = 0; i < VM0_SCRATCH_PAGES; i++) {
		gpa_t *at = &vm0->scratch_gpa[i];

		if (*at && vm0_is_log(vm0, *at) && !map_hidden(vm0, *at))
			*at = 0;
	}
	spin_unlock(&mapping);
	virt->flush_tlb(vcpu);
}

static int map_hidden_page(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct ept_mapping map;
	int r = 0;

	spin_lock(&mapping);
	if (fault->write)
		r = map_scratch(vcpu, fault->address);
	else if (!ept_walk(&vcpu->vm->ept, fault->address, &map))
		r = map_hidden(to_vm0(vcpu->vm), fault->address);
	spin_unlock(&mapping);
	if (!r && fault->write && vm0_is_log(to_vm0(vcpu->vm), fault->address))
		vcpu_step(vcpu, STEP_LOG, restore_logs);
	return r;
}

/* For the message. */
static const char *what_happens(const struct page_fault *fault, bool is_log)
{
	if (fault->table)
		return is_log ? "a copy of the log" : "all ones";
	if (fault->write)
		return "ignored";
	return is_log && fault->fetch ? "#GP to the guest" : "all ones";
}

int emulate_hidden_access(struct vcpu *vcpu, const struct page_fault *fault)
{
	/* A guest page table in hidden memory needs no emulated write: its entries read as all
	 * ones. Their reserved bits are set, so the CPU raises #PF; the accessed and dirty flags
	 * are set, so it does not write them. In the log, it sets flags in the scratch page. */
	bool write = fault->write && !fault->table;
	const void *log = log_page(to_vm0(vcpu->vm), fault->address);

	pr_warn_ratelimited("vCPU %u: guest at RIP %lx %s %lx, which is %s: %s", vcpu->id,
			    virt->get_sysreg(vcpu, SYSREG_RIP),
			    write          ? "writes to"
			    : fault->table ? "has a page table at"
			    : fault->fetch ? "executes"
					   : "reads",
			    fault->address,
			    vm0_is_hidden(to_vm0(vcpu->vm), fault->address, 1)
				    ? "Glasshouse's"
				    : "the local APIC's page with a KeyID",
			    what_happens(fault, log));
	if (write && emulate_without_write(vcpu, fault->address, log))
		return 1;
	if ((log && fault->fetch) || map_hidden_page(vcpu, fault))
		queue_exception_e(vcpu, GP_VECTOR, 0);
	return 1;
}
