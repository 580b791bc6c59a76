/* SPDX-License-Identifier: MIT */
/*
 * Lab 3, holes 1 and 2: what the VMCS says about the two kinds of page fault. Your file takes the
 * place of vmm/vmx/page_fault.h. The bits that you need are in arch/x86/vmx.h, the vectors in
 * arch/x86/cpu.h, struct page_fault in vmm/mmu.h.
 */
#ifndef GH_VMM_VMX_PAGE_FAULT_H
#define GH_VMM_VMX_PAGE_FAULT_H

#include "arch/x86/cpu.h"
#include "vmm/mmu.h"
#include "vmm/vmx/vmx.h"

/*
 * Hole 1. The guest has caused an exception, or an NMI has come, and that exits. @intr_info is
 * VM_EXIT_INTR_INFO. Is it a page fault? Two of its fields tell: INTR_INFO_VECTOR_MASK and
 * INTR_INFO_INTR_TYPE_MASK. The vector alone does not: an interrupt, or INT n, may have vector 14,
 * too. SDM: "Information for VM Exits Due to Vectored Events".
 */
static inline bool is_page_fault(u32 intr_info)
{
	(void)intr_info;
	return false; /* yours to write */
}

/*
 * Hole 2. An access to guest-physical @gpa was not allowed by EPT, and that exits. @qual is the
 * exit qualification. Return the fault that it describes:
 *
 *  - kind: FAULT_SECOND_LEVEL; address: @gpa; gva_hint: ~0, as the caller asks for a linear address
 *    later;
 *  - write: the access was a write, or a read and a write in one (EPT_VIOLATION_ACC_WRITE).
 *    fetch: it was an instruction fetch (EPT_VIOLATION_ACC_INSTR). Neither: a read;
 *  - table: nobody asked for @gpa. The CPU itself did, which was on its way through the
 *    guest's page tables, for a linear address. Then EPT_VIOLATION_GVA_IS_VALID is 1, and
 *    EPT_VIOLATION_GVA_TRANSLATED is 0. If the first is 0, the second means nothing.
 *
 * What is not named is 0. SDM: "Exit Qualification for EPT Violations".
 */
static inline struct page_fault ept_violation_fault(u64 qual, gpa_t gpa)
{
	(void)qual, (void)gpa;
	return (struct page_fault){.kind = FAULT_SECOND_LEVEL}; /* yours to write */
}

#endif
