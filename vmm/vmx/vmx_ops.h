/* SPDX-License-Identifier: MIT */
/*
 * VT-x as the kind of CPU that runs guests.
 */
#ifndef GH_VMM_VMX_VMX_OPS_H
#define GH_VMM_VMX_VMX_OPS_H

#include "vmm/virt_ops.h"

extern const struct virt_ops vmx_x86_ops;

#endif
