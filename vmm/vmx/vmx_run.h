/* SPDX-License-Identifier: MIT */
/*
 * Numbers that vmx_run.S uses; setup.c checks them.
 */
#ifndef GH_VMM_VMX_VMX_RUN_H
#define GH_VMM_VMX_VMX_RUN_H

#define RUN_HOST_RSP_FIELD 0x6c14 /* the VMCS field HOST_RSP */
#define RUN_HOST_RSP       128    /* struct vcpu: the offset of host_rsp; regs[] are at 0 */
#define RUN_CPU_DR6        16     /* struct cpu: the offset of dr6 */
#define RUN_CPU_LAUNCHED   24     /* of launched */

#endif
