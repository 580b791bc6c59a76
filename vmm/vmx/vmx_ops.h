/* SPDX-License-Identifier: MIT */
/*
 * The VT-x implementation of struct virt_ops.
 */
#ifndef GH_VMM_VMX_VMX_OPS_H
#define GH_VMM_VMX_VMX_OPS_H

#include "vmm/virt_ops.h"

/* For the boot, which sets virt to it on an Intel CPU. */
extern const struct virt_ops vmx_x86_ops;

#endif
