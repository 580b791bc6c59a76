/* SPDX-License-Identifier: MIT */
/*
 * The page-fault handler. See mmu.h.
 */
#include "vmm/mmu.h"
#include "arch/x86/cpu.h"
#include "vmm/event.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* The guest's own page tables caused the fault: inject it unchanged. SDM: "Page-Fault Exceptions".
 */
static int reflect_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	write_cr2(fault->address);
	queue_exception_e(vcpu, PF_VECTOR, fault->error_code);
	return 1;
}

int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	if (fault->kind == FAULT_GUEST_PAGING)
		return reflect_page_fault(vcpu, fault);
	return vcpu->vm->ops->page_fault(vcpu, fault);
}
