/* SPDX-License-Identifier: MIT */
/*
 * A Zydis decoder for each enum insn_mode, for the tests that compare with it.
 */
#ifndef GH_TESTS_ZYDIS_H
#define GH_TESTS_ZYDIS_H

#include "tests/unit/stubs.h"
#include <Zydis/Zydis.h>

#define MODES 3

static ZydisDecoder zydis[MODES];

/* Returns 0, or -1 when Zydis fails. */
static inline int zydis_setup(void)
{
	static const ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_LEGACY_16,
						 ZYDIS_MACHINE_MODE_LEGACY_32,
						 ZYDIS_MACHINE_MODE_LONG_64};
	static const ZydisStackWidth widths[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
						 ZYDIS_STACK_WIDTH_64};

	for (int i = 0; i < MODES; i++) {
		if (ZYAN_FAILED(ZydisDecoderInit(&zydis[i], modes[i], widths[i])))
			return -1;
	}
	return 0;
}

#endif
