/* SPDX-License-Identifier: MIT */
/*
 * Exits without a handler do not stop the guest: it gets #UD, and one line is logged.
 */
#ifndef GH_UNKNOWN_H
#define GH_UNKNOWN_H

#include "vmm/vcpu.h"

/* The option "strict": stop at an exit without a handler. */
extern bool strict_mode;

/*
 * Handle an exit that has no handler: queue #UD, and log @what, RIP and the bytes there. Returns
 * what an exit handler returns: 1; or -ENOSYS in strict mode, which stops Glasshouse.
 */
int handle_unknown(struct vcpu *vcpu, const char *what);

#endif
