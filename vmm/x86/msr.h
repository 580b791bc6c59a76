/* SPDX-License-Identifier: MIT */
/*
 * Emulate the instructions RDMSR, WRMSR and XSETBV. The VM supplies the values of the MSRs
 * (vm_ops.rdmsr, vm_ops.wrmsr).
 */
#ifndef GH_VMM_MSR_H
#define GH_VMM_MSR_H

#include "vmm/x86/rdmsr.h"

/*
 * Emulate XSETBV, which writes EDX:EAX to the XCR in ECX, and the forms of RDMSR and WRMSRNS with
 * the MSR's number as an immediate: RDMSR to, and WRMSRNS from, @reg. The caller skips the
 * instruction. Return 0; or -EINVAL, and the caller injects #GP(0). SDM: "XSETBV—Set Extended
 * Control Register".
 */
int emulate_xsetbv(struct vcpu *vcpu);
int emulate_rdmsr_imm(struct vcpu *vcpu, u32 msr, enum vcpu_reg reg);
int emulate_wrmsrns_imm(struct vcpu *vcpu, u32 msr, enum vcpu_reg reg);

#endif
