/* SPDX-License-Identifier: MIT */
/*
 * The unknown never kills: what nobody handles gets the architectural answer, one line, and the
 * guest goes on.
 */
#ifndef GH_UNKNOWN_H
#define GH_UNKNOWN_H

#include "vmm/vcpu.h"

/* The option "strict": stop at the unknown instead. */
extern bool strict_mode;

/*
 * An exit for @what has no handler: #UD to the guest, and a line with the bytes at RIP. Returns
 * what an exit handler returns: 1, or -ENOSYS in strict mode.
 */
int handle_unknown(struct vcpu *vcpu, const char *what);

#endif
