/* SPDX-License-Identifier: MIT */
/*
 * From where Glasshouse's code was called. There are no frame pointers: each word on the stack that
 * points into a function is told. Some are not return addresses, but none is missing.
 */
#ifndef GH_BACKTRACE_H
#define GH_BACKTRACE_H

#include "types.h"

/*
 * Call @frame for each such word from @rsp to before @top, at most @max times: with the address,
 * the function's name, and the distance from its start in bytes. The words must be readable.
 */
void backtrace(u64 rsp, u64 top, unsigned max,
	       void (*frame)(u64 address, const char *name, u64 offset));

#endif
