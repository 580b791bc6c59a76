/* SPDX-License-Identifier: MIT */
/*
 * VMX bits that are needed only to check or print a whole VMCS. Source: as vmx.h.
 */
#ifndef GH_VMX_ENTRY_H
#define GH_VMX_ENTRY_H

#include "arch/x86/vmx.h"

/* IA32_VMX_BASIC */
#define VMX_BASIC_NO_HW_ERROR_CODE BIT(56) /* hardware exceptions with or without an error code */

/* IA32_VMX_MISC */
#define VMX_MISC_ACTIVITY_HLT      BIT(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN BIT(7)
#define VMX_MISC_CR3_TARGETS(msr)  ((u32)(((msr) >> 16) & 0x1ff))
#define VMX_MISC_ZERO_LEN_INS      BIT(30)

/* IA32_VMX_EPT_VPID_CAP */
#define VMX_EPT_PAGE_WALK_5_BIT             BIT(7)
#define VMX_EPTP_UC_BIT                     BIT(8)
#define VMX_EPT_SUPERVISOR_SHADOW_STACK_BIT BIT(23)

/* EPTP: "Extended-Page-Table Pointer (EPTP)" */
#define VMX_EPTP_MT_UC         0ull
#define VMX_EPTP_MT_WB         6ull
#define VMX_EPTP_PWL_4         (3ull << 3)
#define VMX_EPTP_PWL_5         (4ull << 3)
#define VMX_EPTP_PWL_MASK      (7ull << 3)
#define VMX_EPTP_AD_ENABLE_BIT BIT(6)

/* Interruption information: VM exit, VM entry and IDT vectoring share one format */
#define INTR_INFO_UNBLOCK_NMI    BIT(12) /* exit only: NMI unblocking due to IRET */
#define INTR_INFO_ENTRY_RESERVED GENMASK(30, 12)
#define INTR_TYPE_RESERVED       (1ull << INTR_INFO_INTR_TYPE_SHIFT)
#define INTR_TYPE_OTHER_EVENT    (7ull << INTR_INFO_INTR_TYPE_SHIFT)

/* Guest activity state */
#define GUEST_ACTIVITY_SHUTDOWN 2

/* Guest interruptibility state */
#define GUEST_INTR_STATE_SMI          BIT(2)
#define GUEST_INTR_STATE_ENCLAVE_INTR BIT(4)
#define GUEST_INTR_STATE_RESERVED     GENMASK(31, 5)

/* Guest pending debug exceptions */
#define PENDING_DBG_B0_B3 GENMASK(3, 0)
#define PENDING_DBG_BLD   BIT(11)
#define PENDING_DBG_RTM   BIT(16)

/* Segment access rights: "Guest Register State" */
#define VMX_AR_TYPE_ACCESSED_MASK BIT(0)
#define VMX_AR_TYPE_READABLE_MASK BIT(1) /* of code; of data: writable */
#define VMX_AR_TYPE_EXPAND_DOWN   BIT(2) /* of data; of code: conforming */
#define VMX_AR_TYPE_CODE_MASK     BIT(3)
#define VMX_AR_TYPE_LDT           2
#define VMX_AR_TYPE_BUSY_TSS      11
#define VMX_AR_S_MASK             BIT(4)
#define VMX_AR_DPL(ar)            (((ar) >> VMX_AR_DPL_SHIFT) & 3)
#define VMX_AR_P_MASK             BIT(7)
#define VMX_AR_DB_MASK            BIT(14)
#define VMX_AR_G_MASK             BIT(15)
#define VMX_AR_RESERVED_MASK      (GENMASK(31, 17) | GENMASK(11, 8))

/* "VM-Instruction Error Numbers": those that the code handles; all texts are in
 * vmm/vmx/vmcs_text.c. */
#define VMXERR_VMLAUNCH_NONCLEAR_VMCS 4

#endif
