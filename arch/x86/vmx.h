/* SPDX-License-Identifier: MIT */
/*
 * VMX bits and encodings, named as in Linux's asm/vmx.h. Source: Intel SDM volume 3; above each
 * group is the title of its section. The encodings of VMCS fields are in vmm/vmx/vmcs_fields.def,
 * the exit reasons in vmm/vmx/exit_reasons.def; vmm/vmx/controls.def has the purpose of each
 * control, and whether Glasshouse uses it.
 */
#ifndef GH_VMX_H
#define GH_VMX_H

#include "bits.h"

/* "Pin-Based VM-Execution Controls" */
#define PIN_BASED_EXT_INTR_MASK        BIT(0)
#define PIN_BASED_NMI_EXITING          BIT(3)
#define PIN_BASED_VIRTUAL_NMIS         BIT(5)
#define PIN_BASED_VMX_PREEMPTION_TIMER BIT(6)
#define PIN_BASED_POSTED_INTR          BIT(7)

/* "Processor-Based VM-Execution Controls": the primary ones */
#define CPU_BASED_INTR_WINDOW_EXITING         BIT(2)
#define CPU_BASED_USE_TSC_OFFSETTING          BIT(3)
#define CPU_BASED_HLT_EXITING                 BIT(7)
#define CPU_BASED_INVLPG_EXITING              BIT(9)
#define CPU_BASED_MWAIT_EXITING               BIT(10)
#define CPU_BASED_RDPMC_EXITING               BIT(11)
#define CPU_BASED_RDTSC_EXITING               BIT(12)
#define CPU_BASED_CR3_LOAD_EXITING            BIT(15)
#define CPU_BASED_CR3_STORE_EXITING           BIT(16)
#define CPU_BASED_ACTIVATE_TERTIARY_CONTROLS  BIT(17)
#define CPU_BASED_CR8_LOAD_EXITING            BIT(19)
#define CPU_BASED_CR8_STORE_EXITING           BIT(20)
#define CPU_BASED_TPR_SHADOW                  BIT(21)
#define CPU_BASED_NMI_WINDOW_EXITING          BIT(22)
#define CPU_BASED_MOV_DR_EXITING              BIT(23)
#define CPU_BASED_UNCOND_IO_EXITING           BIT(24)
#define CPU_BASED_USE_IO_BITMAPS              BIT(25)
#define CPU_BASED_MONITOR_TRAP_FLAG           BIT(27)
#define CPU_BASED_USE_MSR_BITMAPS             BIT(28)
#define CPU_BASED_MONITOR_EXITING             BIT(29)
#define CPU_BASED_PAUSE_EXITING               BIT(30)
#define CPU_BASED_ACTIVATE_SECONDARY_CONTROLS BIT(31)

/* ... the secondary ones */
#define SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES BIT(0)
#define SECONDARY_EXEC_ENABLE_EPT               BIT(1)
#define SECONDARY_EXEC_DESC                     BIT(2)
#define SECONDARY_EXEC_ENABLE_RDTSCP            BIT(3)
#define SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE   BIT(4)
#define SECONDARY_EXEC_ENABLE_VPID              BIT(5)
#define SECONDARY_EXEC_WBINVD_EXITING           BIT(6)
#define SECONDARY_EXEC_UNRESTRICTED_GUEST       BIT(7)
#define SECONDARY_EXEC_APIC_REGISTER_VIRT       BIT(8)
#define SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY    BIT(9)
#define SECONDARY_EXEC_PAUSE_LOOP_EXITING       BIT(10)
#define SECONDARY_EXEC_RDRAND_EXITING           BIT(11)
#define SECONDARY_EXEC_ENABLE_INVPCID           BIT(12)
#define SECONDARY_EXEC_ENABLE_VMFUNC            BIT(13)
#define SECONDARY_EXEC_SHADOW_VMCS              BIT(14)
#define SECONDARY_EXEC_ENCLS_EXITING            BIT(15)
#define SECONDARY_EXEC_RDSEED_EXITING           BIT(16)
#define SECONDARY_EXEC_ENABLE_PML               BIT(17)
#define SECONDARY_EXEC_EPT_VIOLATION_VE         BIT(18)
#define SECONDARY_EXEC_PT_CONCEAL_VMX           BIT(19)
#define SECONDARY_EXEC_ENABLE_XSAVES            BIT(20)
#define SECONDARY_EXEC_PASID_TRANSLATION        BIT(21)
#define SECONDARY_EXEC_MODE_BASED_EPT_EXEC      BIT(22)
#define SECONDARY_EXEC_SUBPAGE_WRITE_PERMISSION BIT(23)
#define SECONDARY_EXEC_PT_USE_GPA               BIT(24)
#define SECONDARY_EXEC_TSC_SCALING              BIT(25)
#define SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE    BIT(26)
#define SECONDARY_EXEC_ENABLE_PCONFIG           BIT(27)
#define SECONDARY_EXEC_ENCLV_EXITING            BIT(28)
#define SECONDARY_EXEC_BUS_LOCK_DETECTION       BIT(30)
#define SECONDARY_EXEC_NOTIFY_VM_EXITING        BIT(31)

/* ... the tertiary ones, a 64-bit word */
#define TERTIARY_EXEC_LOADIWKEY_EXITING         BIT(0)
#define TERTIARY_EXEC_ENABLE_HLAT               BIT(1)
#define TERTIARY_EXEC_EPT_PAGING_WRITE          BIT(2)
#define TERTIARY_EXEC_GUEST_PAGING_VERIFICATION BIT(3)
#define TERTIARY_EXEC_IPI_VIRT                  BIT(4)
#define TERTIARY_EXEC_ENABLE_MSRLIST            BIT(6)
#define TERTIARY_EXEC_VIRTUALIZE_SPEC_CTRL      BIT(7)

/* "VM-Exit Controls": the primary ones */
#define VM_EXIT_SAVE_DEBUG_CONTROLS         BIT(2)
#define VM_EXIT_HOST_ADDR_SPACE_SIZE        BIT(9)
#define VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL  BIT(12)
#define VM_EXIT_ACK_INTR_ON_EXIT            BIT(15)
#define VM_EXIT_SAVE_IA32_PAT               BIT(18)
#define VM_EXIT_LOAD_IA32_PAT               BIT(19)
#define VM_EXIT_SAVE_IA32_EFER              BIT(20)
#define VM_EXIT_LOAD_IA32_EFER              BIT(21)
#define VM_EXIT_SAVE_VMX_PREEMPTION_TIMER   BIT(22)
#define VM_EXIT_CLEAR_BNDCFGS               BIT(23)
#define VM_EXIT_PT_CONCEAL_PIP              BIT(24)
#define VM_EXIT_CLEAR_IA32_RTIT_CTL         BIT(25)
#define VM_EXIT_CLEAR_IA32_LBR_CTL          BIT(26)
#define VM_EXIT_CLEAR_UINV                  BIT(27)
#define VM_EXIT_LOAD_CET_STATE              BIT(28)
#define VM_EXIT_LOAD_PKRS                   BIT(29)
#define VM_EXIT_SAVE_IA32_PERF_GLOBAL_CTRL  BIT(30)
#define VM_EXIT_ACTIVATE_SECONDARY_CONTROLS BIT(31)

/* ... the secondary ones, a 64-bit word */
#define SECONDARY_VM_EXIT_SAVE_IA32_FRED BIT(0)
#define SECONDARY_VM_EXIT_LOAD_IA32_FRED BIT(1)

/* "VM-Entry Controls" */
#define VM_ENTRY_LOAD_DEBUG_CONTROLS        BIT(2)
#define VM_ENTRY_IA32E_MODE                 BIT(9)
#define VM_ENTRY_SMM                        BIT(10)
#define VM_ENTRY_DEACT_DUAL_MONITOR         BIT(11)
#define VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL BIT(13)
#define VM_ENTRY_LOAD_IA32_PAT              BIT(14)
#define VM_ENTRY_LOAD_IA32_EFER             BIT(15)
#define VM_ENTRY_LOAD_BNDCFGS               BIT(16)
#define VM_ENTRY_PT_CONCEAL_PIP             BIT(17)
#define VM_ENTRY_LOAD_IA32_RTIT_CTL         BIT(18)
#define VM_ENTRY_LOAD_UINV                  BIT(19)
#define VM_ENTRY_LOAD_CET_STATE             BIT(20)
#define VM_ENTRY_LOAD_IA32_LBR_CTL          BIT(21)
#define VM_ENTRY_LOAD_PKRS                  BIT(22)
#define VM_ENTRY_LOAD_IA32_FRED             BIT(23)

/* "Basic VMX Information": IA32_VMX_BASIC; @msr: its value */
#define VMX_BASIC_REVISION(msr)  ((u32)((msr)&GENMASK(30, 0)))
#define VMX_BASIC_VMCS_SIZE(msr) ((u32)(((msr) >> 32) & 0x1fff)) /* bytes, at most 4096 */
#define VMX_BASIC_TRUE_CTLS      BIT(55)

/* "Miscellaneous Data": IA32_VMX_MISC */
#define VMX_MISC_PREEMPTION_TIMER_RATE_MASK GENMASK(4, 0)
#define VMX_MISC_ACTIVITY_WAIT_SIPI         BIT(8)

/* "VM Functions": IA32_VMX_VMFUNC */
#define VMX_VMFUNC_EPTP_SWITCHING BIT(0)

/* "VPID and EPT Capabilities": IA32_VMX_EPT_VPID_CAP */
#define VMX_EPT_EXECUTE_ONLY_BIT           BIT(0)
#define VMX_EPT_PAGE_WALK_4_BIT            BIT(6)
#define VMX_EPTP_WB_BIT                    BIT(14)
#define VMX_EPT_2MB_PAGE_BIT               BIT(16)
#define VMX_EPT_1GB_PAGE_BIT               BIT(17)
#define VMX_EPT_AD_BIT                     BIT(21)
#define VMX_EPT_EXTENT_CONTEXT_BIT         BIT(25) /* INVEPT single-context */
#define VMX_EPT_EXTENT_GLOBAL_BIT          BIT(26) /* INVEPT all-context */
#define VMX_VPID_INVVPID_BIT               BIT(32)
#define VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT BIT(41)
#define VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT BIT(42)

/* "INVEPT—Invalidate Translations Derived from EPT", "INVVPID—Invalidate Translations Based on
 * VPID": types */
#define VMX_EPT_EXTENT_CONTEXT         1
#define VMX_EPT_EXTENT_GLOBAL          2
#define VMX_VPID_EXTENT_SINGLE_CONTEXT 1
#define VMX_VPID_EXTENT_ALL_CONTEXT    2

/* "Basic VM-Exit Information": the exit reason, 32 bits */
#define VMX_EXIT_REASONS_BASIC_MASK     0xffffu
#define VMX_EXIT_REASONS_FAILED_VMENTRY BIT(31)

/* "VM-Exit Instruction-Information Field": the register operand, Reg1, of RDMSR, WRMSRNS and others
 */
#define INSN_INFO_REG1(info) ((unsigned)(((info) >> 3) & 0xf))

/* Interruption information, of one format: "VM-Entry Controls for Event Injection", "Information
 * for VM Exits Due to Vectored Events", "Information for VM Exits That Occur During Event Delivery"
 */
#define INTR_INFO_VECTOR_MASK       0xffull
#define INTR_INFO_INTR_TYPE_SHIFT   8
#define INTR_INFO_INTR_TYPE_MASK    (7ull << INTR_INFO_INTR_TYPE_SHIFT)
#define INTR_INFO_DELIVER_CODE_MASK BIT(11)
#define INTR_INFO_UNBLOCK_NMI       BIT(12)
#define INTR_INFO_VALID_MASK        BIT(31)

#define INTR_TYPE_EXT_INTR          (0ull << INTR_INFO_INTR_TYPE_SHIFT)
#define INTR_TYPE_NMI_INTR          (2ull << INTR_INFO_INTR_TYPE_SHIFT)
#define INTR_TYPE_HARD_EXCEPTION    (3ull << INTR_INFO_INTR_TYPE_SHIFT)
#define INTR_TYPE_SOFT_INTR         (4ull << INTR_INFO_INTR_TYPE_SHIFT)
#define INTR_TYPE_PRIV_SW_EXCEPTION (5ull << INTR_INFO_INTR_TYPE_SHIFT) /* INT1 */
#define INTR_TYPE_SOFT_EXCEPTION    (6ull << INTR_INFO_INTR_TYPE_SHIFT) /* INT3, INTO */

/* "Guest Non-Register State": activity state */
#define GUEST_ACTIVITY_ACTIVE    0
#define GUEST_ACTIVITY_HLT       1
#define GUEST_ACTIVITY_WAIT_SIPI 3

/* ... interruptibility state */
#define GUEST_INTR_STATE_STI    BIT(0)
#define GUEST_INTR_STATE_MOV_SS BIT(1)
#define GUEST_INTR_STATE_NMI    BIT(3)

/* ... pending debug exceptions */
#define PENDING_DBG_ENABLED_BP BIT(12)
#define PENDING_DBG_BS         BIT(14)

/* "Guest Register State": access rights of segments */
#define VMX_AR_TYPE_MASK        0x0full
#define VMX_AR_TYPE_BUSY_16_TSS 3
#define VMX_AR_DPL_SHIFT        5
#define VMX_AR_L_MASK           BIT(13)
#define VMX_AR_UNUSABLE_MASK    BIT(16)

/* Exit qualifications: "Basic VM-Exit Information". @q is the value. */
/* ... of EPT violations */
#define EPT_VIOLATION_ACC_WRITE      BIT(1)
#define EPT_VIOLATION_ACC_INSTR      BIT(2)
#define EPT_VIOLATION_GVA_IS_VALID   BIT(7)
#define EPT_VIOLATION_GVA_TRANSLATED BIT(8)  /* the final access, not a paging-structure one */
#define EPT_VIOLATION_NMI_UNBLOCKED  BIT(12) /* NMI unblocking due to IRET */

/* ... of control-register accesses: the CR number (0, 3, 4, 8), the access type, the general
 * register's number, the operand of LMSW */
#define CONTROL_REG_ACCESS_NUM(q)  ((unsigned)((q)&0xf))
#define CONTROL_REG_ACCESS_TYPE(q) ((unsigned)(((q) >> 4) & 3))
#define CONTROL_REG_ACCESS_REG(q)  ((unsigned)(((q) >> 8) & 0xf))
#define CONTROL_REG_LMSW_SOURCE(q) ((u16)(((q) >> 16) & 0xffff))
#define CR_TYPE_MOV_TO_CR          0
#define CR_TYPE_MOV_FROM_CR        1
#define CR_TYPE_CLTS               2
#define CR_TYPE_LMSW               3

/* ... of I/O instructions */
/* SDM: "Exit Qualification for MOV DR". */
#define DR_QUAL_NUMBER(q)   ((unsigned)((q)&7))
#define DR_QUAL_FROM        BIT(4) /* MOV from the debug register */
#define DR_QUAL_REGISTER(q) ((unsigned)(((q) >> 8) & 0xf))

#define IO_QUAL_SIZE(q) ((unsigned)((q)&7) + 1) /* bytes: 1, 2, 4 */
#define IO_QUAL_IN      BIT(3)
#define IO_QUAL_STRING  BIT(4)
#define IO_QUAL_REP     BIT(5)
#define IO_QUAL_PORT(q) ((u16)(((q) >> 16) & 0xffff))

/* ... of task switches; the source is an enum task_switch_source */
#define TASK_SWITCH_SELECTOR(q) ((u16)((q)&0xffff))
#define TASK_SWITCH_SOURCE(q)   ((unsigned)(((q) >> 30) & 3))

#endif
