/* SPDX-License-Identifier: MIT */
/*
 * What the VMCS says about the two kinds of page fault.
 */
#ifndef GH_VMM_VMX_PAGE_FAULT_H
#define GH_VMM_VMX_PAGE_FAULT_H

#include "arch/x86/cpu.h"
#include "vmm/mmu.h"
#include "vmm/vmx/vmx.h"

/* Is the event of @intr_info, VM_EXIT_INTR_INFO, a #PF? SDM: "Information for VM Exits Due to
 * Vectored Events". */
static inline bool is_page_fault(u32 intr_info)
{
	return (intr_info & (INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)) ==
	       (INTR_TYPE_HARD_EXCEPTION | PF_VECTOR);
}

/* The page fault of an EPT violation with the exit qualification @qual at guest-physical @gpa,
 * without a linear address. SDM: "Exit Qualification for EPT Violations". */
static inline struct page_fault ept_violation_fault(u64 qual, gpa_t gpa)
{
	return (struct page_fault){
		.kind = FAULT_SECOND_LEVEL,
		.address = gpa,
		.write = qual & EPT_VIOLATION_ACC_WRITE,
		.fetch = qual & EPT_VIOLATION_ACC_INSTR,
		.gva_hint = ~(gva_t)0,
		.table = (qual & (EPT_VIOLATION_GVA_IS_VALID | EPT_VIOLATION_GVA_TRANSLATED)) ==
			 EPT_VIOLATION_GVA_IS_VALID,
	};
}

#endif
