/* SPDX-License-Identifier: MIT */
/*
 * Is Glasshouse still what it was when the guest began?
 */
#ifndef GH_INTEGRITY_H
#define GH_INTEGRITY_H

#include "bits.h"

/* Remember a checksum of our code and constants. Before a guest runs. */
void integrity_take(void);

/* Say whether they are unchanged: a line for the log, an error if not. */
void integrity_check(void);

#endif
