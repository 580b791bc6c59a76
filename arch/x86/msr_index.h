/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers: numbers and bits, named as in Linux's msr-index.h.
 * Source: Intel SDM volume 4, "Architectural MSRs".
 */
#ifndef GH_MSR_INDEX_H
#define GH_MSR_INDEX_H

#include "bits.h"

/* Time, platform, APIC */
#define MSR_IA32_APICBASE        0x0000001b
#define MSR_IA32_FEAT_CTL        0x0000003a
#define MSR_IA32_TSC_ADJUST      0x0000003b
#define MSR_IA32_UCODE_WRITE     0x00000079
#define MSR_IA32_UCODE_REV       0x0000008b
#define MSR_IA32_SMM_MONITOR_CTL 0x0000009b
#define MSR_IA32_UMWAIT_CONTROL  0x000000e1

#define APICBASE_BSP    BIT(8)
#define APICBASE_EXTD   BIT(10) /* x2APIC mode */
#define APICBASE_ENABLE BIT(11)

/* IA32_FEATURE_CONTROL (Linux: FEAT_CTL) */
#define FEAT_CTL_LOCKED                  BIT(0)
#define FEAT_CTL_VMX_ENABLED_INSIDE_SMX  BIT(1)
#define FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX BIT(2)
#define FEAT_CTL_SGX_LC_ENABLED          BIT(17)
#define FEAT_CTL_SGX_ENABLED             BIT(18)
#define FEAT_CTL_LMCE_ENABLED            BIT(20)

/* System call entry */
#define MSR_IA32_SYSENTER_CS  0x00000174
#define MSR_IA32_SYSENTER_ESP 0x00000175
#define MSR_IA32_SYSENTER_EIP 0x00000176
#define MSR_EFER              0xc0000080
#define MSR_STAR              0xc0000081
#define MSR_LSTAR             0xc0000082
#define MSR_CSTAR             0xc0000083
#define MSR_SYSCALL_MASK      0xc0000084
#define MSR_FS_BASE           0xc0000100
#define MSR_GS_BASE           0xc0000101
#define MSR_KERNEL_GS_BASE    0xc0000102
#define MSR_TSC_AUX           0xc0000103

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NX  BIT(11)

/* Performance, debugging, power */
#define MSR_IA32_MISC_ENABLE 0x000001a0
#define MSR_IA32_DEBUGCTLMSR 0x000001d9
#define MSR_IA32_PEBS_ENABLE 0x000003f1
#define MSR_IA32_DS_AREA     0x00000600

#define MISC_ENABLE_XD_DISABLE BIT(34)

/* Architectural PEBS: base, index; one CFG_C for each counter */
#define MSR_IA32_PEBS_BASE      0x000003f4
#define MSR_IA32_PEBS_INDEX     0x000003f5
#define MSR_IA32_PMC_GP0_CFG_C  0x00001903
#define MSR_IA32_PMC_GP31_CFG_C 0x0000197f
#define MSR_IA32_PMC_FX0_CFG_C  0x00001983
#define MSR_IA32_PMC_FX31_CFG_C 0x000019ff

/* Architectural LBRs */
#define MSR_IA32_LBR_0_INFO    0x00001200
#define MSR_IA32_LBR_CTL       0x000014ce
#define MSR_IA32_LBR_DEPTH     0x000014cf
#define MSR_IA32_LBR_0_FROM_IP 0x00001500
#define MSR_IA32_LBR_0_TO_IP   0x00001600

/* Intel Processor Trace */
#define MSR_IA32_RTIT_OUTPUT_BASE      0x00000560
#define MSR_IA32_RTIT_OUTPUT_MASK_PTRS 0x00000561
#define MSR_IA32_RTIT_CTL              0x00000570
#define MSR_IA32_RTIT_CR3_MATCH        0x00000572
#define MSR_IA32_RTIT_ADDR0_A          0x00000580
#define MSR_IA32_RTIT_ADDR3_B          0x00000587

/* Hardware feedback */
#define MSR_IA32_HW_FEEDBACK_PTR           0x000017d0
#define MSR_IA32_THREAD_FEEDBACK_CHAR      0x000017d2
#define MSR_IA32_HW_FEEDBACK_THREAD_CONFIG 0x000017d4

/* Machine checks */
#define MSR_IA32_MCG_CAP    0x00000179
#define MSR_IA32_MCG_STATUS 0x0000017a
#define MSR_IA32_MC0_STATUS 0x00000401 /* + 4n; ADDR and MISC follow it */

#define MCG_CAP_BANKS    0xffull
#define MCG_STATUS_RIPV  BIT(0)
#define MCI_STATUS_VAL   BIT(63)
#define MCI_STATUS_MISCV BIT(59)
#define MCI_STATUS_ADDRV BIT(58)

#define DEBUGCTLMSR_LBR BIT(0)
#define DEBUGCTLMSR_BTF BIT(1)

/* Memory encryption */
#define MSR_IA32_TME_ACTIVATE 0x00000982

#define TME_ACTIVATE_LOCKED        BIT(0)
#define TME_ACTIVATE_ENABLED       BIT(1)
#define TME_ACTIVATE_KEYID_BITS(v) ((u8)((v) >> 32 & 0xf))

/* Memory types */
#define MSR_MTRRcap          0x000000fe
#define MSR_MTRRphysBase0    0x00000200 /* + 2n */
#define MSR_MTRRphysMask0    0x00000201 /* + 2n */
#define MSR_MTRRfix64K_00000 0x00000250
#define MSR_MTRRfix16K_80000 0x00000258
#define MSR_MTRRfix16K_A0000 0x00000259
#define MSR_MTRRfix4K_C0000  0x00000268 /* to 0x26f: F8000 */
#define MSR_MTRRfix4K_F8000  0x0000026f
#define MSR_IA32_CR_PAT      0x00000277
#define MSR_MTRRdefType      0x000002ff

#define MTRRCAP_VCNT   0xffull
#define MTRRCAP_FIX    BIT(8)
#define MTRRDEFTYPE_FE BIT(10) /* fixed ranges on */
#define MTRRDEFTYPE_E  BIT(11) /* MTRRs on */

/* Protection */
#define MSR_IA32_BNDCFGS     0x00000d90
#define MSR_IA32_XSS         0x00000da0
#define MSR_IA32_U_CET       0x000006a0
#define MSR_IA32_S_CET       0x000006a2
#define MSR_IA32_PL3_SSP     0x000006a7
#define MSR_IA32_INT_SSP_TAB 0x000006a8
#define MSR_IA32_PKRS        0x000006e1

/* FRED, and RDMSRLIST and WRMSRLIST */
#define MSR_IA32_BARRIER     0x0000002f
#define MSR_IA32_FRED_RSP0   0x000001cc
#define MSR_IA32_FRED_CONFIG 0x000001d4

/* x2APIC: an xAPIC register at offset 16n is MSR 0x800 + n */
#define MSR_X2APIC_BASE 0x00000800
#define MSR_X2APIC_ICR  0x00000830

/* VMX capabilities: SDM, "VMX Capability Reporting Facility" */
#define MSR_IA32_VMX_BASIC               0x00000480
#define MSR_IA32_VMX_PINBASED_CTLS       0x00000481
#define MSR_IA32_VMX_PROCBASED_CTLS      0x00000482
#define MSR_IA32_VMX_EXIT_CTLS           0x00000483
#define MSR_IA32_VMX_ENTRY_CTLS          0x00000484
#define MSR_IA32_VMX_MISC                0x00000485
#define MSR_IA32_VMX_CR0_FIXED0          0x00000486
#define MSR_IA32_VMX_CR0_FIXED1          0x00000487
#define MSR_IA32_VMX_CR4_FIXED0          0x00000488
#define MSR_IA32_VMX_CR4_FIXED1          0x00000489
#define MSR_IA32_VMX_PROCBASED_CTLS2     0x0000048b
#define MSR_IA32_VMX_EPT_VPID_CAP        0x0000048c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS  0x0000048d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x0000048e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS      0x0000048f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS     0x00000490
#define MSR_IA32_VMX_VMFUNC              0x00000491
#define MSR_IA32_VMX_PROCBASED_CTLS3     0x00000492
#define MSR_IA32_VMX_EXIT_CTLS2          0x00000493

#endif
