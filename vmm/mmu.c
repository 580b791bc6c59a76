/* SPDX-License-Identifier: MIT */
/*
 * The page-fault handler. See mmu.h.
 */
#include "vmm/mmu.h"
#include "arch/x86/cpu.h"
#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/vcpu.h"
#include "vmm/view_ops.h"
#include "vmm/vm.h"

int reflect_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	const struct exception exception = {.vector = PF_VECTOR,
					    .type = EVENT_EXCEPTION,
					    .has_error_code = true,
					    .error_code = fault->error_code,
					    .payload = fault->address};

	STEP(reflect_page_fault);
	vcpu->mmu_outcomes[MMU_REFLECTED]++;
	reflect_exception(vcpu, &exception);
	return 1;
}

int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	STEP(mmu_page_fault);
	if (fault->kind == FAULT_GUEST_PAGING)
		return vcpu->page_fault(vcpu, fault);
	if (unlikely(vcpu->vm->view_ops))
		return vcpu->vm->view_ops->page_fault(vcpu, fault);
	return vcpu->vm->ops->page_fault(vcpu, fault);
}
