/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller and port 92h, by which a guest resets the CPUs and switches address line
 * 20 (A20) off. Glasshouse lives above 1 MiB, so A20 stays on: the guest finds a machine whose A20
 * cannot be switched off, as on PCs since Haswell. Port 92h's bit 1 reads as 1.
 */
#ifndef GH_VM0_KBC_H
#define GH_VM0_KBC_H

#include "vmm/vm0/vm0.h"

/* Watch the ports. Returns 0 or -ENOSPC. */
int kbc_init(struct vm0 *vm0);

#endif
