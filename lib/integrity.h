/* SPDX-License-Identifier: MIT */
/*
 * Detects changes of Glasshouse's code and constants while a guest runs.
 */
#ifndef GH_INTEGRITY_H
#define GH_INTEGRITY_H

#include "bits.h"

/* Compute and store the checksum of Glasshouse's code and constants. Call it before a guest runs.
 */
void integrity_take(void);

/* Compute the checksum again and compare. Logs the result, as an error if it differs. */
void integrity_check(void);

#endif
