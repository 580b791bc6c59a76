/* SPDX-License-Identifier: MIT */
/*
 * The search for return addresses on a stack. See backtrace.h.
 */
#include "lib/backtrace.h"
#include "bits.h"
#include "lib/symbols.h"

#define CALL_LENGTH 5 /* bytes of CALL with a 32-bit offset */
#define CALL_OPCODE 0xe8

/*
 * Returns the function into which @address points, and *@offset, or behind whose end, if it ends by
 * a call: that call does not return, so the compiler lets the next function begin there. NULL:
 * none.
 */
static const char *called_from(u64 address, u64 *offset)
{
	u64 before;
	const char *name = symbol_lookup(address - 1, &before);

	if (!name || (symbol_lookup(address, offset) && !*offset &&
		      *(const u8 *)(address - CALL_LENGTH) != CALL_OPCODE))
		return NULL;
	*offset = before + 1;
	return name;
}

void backtrace(u64 rsp, u64 top, unsigned max,
	       void (*frame)(u64 address, const char *name, u64 offset))
{
	for (const u64 *p = (const u64 *)ALIGN_UP(rsp, 8); p < (const u64 *)top && max; p++) {
		u64 offset;
		const char *name = called_from(*p, &offset);

		if (name) {
			frame(*p, name, offset);
			max--;
		}
	}
}
