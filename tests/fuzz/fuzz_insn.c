/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder in each mode, and the emulator.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/x86/insn.h"

static int bus_read(void *ctx, unsigned size, u64 *value)
{
	(void)ctx;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		abort();
	*value = 0x8000000080008081ull & (~0ull >> (64 - 8 * size));
	return 0;
}

static int bus_write(void *ctx, unsigned size, u64 value)
{
	(void)ctx;
	if (size < 8 && value >> 8 * size)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct insn_bus bus = {bus_read, bus_write, NULL};
	struct insn_address at;
	struct insn_mem mem;
	struct insn insn;
	u64 regs[16], rflags;
	u8 *bytes;

	if (!size)
		return 0;
	bytes = malloc(size - 1 + 1);
	memcpy(bytes, data + 1, size - 1);
	for (unsigned i = 0; i < 16; i++)
		regs[i] = i * 0x1111111111111111ull;
	rflags = data[0];
	if (insn_decode(&insn, bytes, size - 1, (enum insn_mode)(data[0] % 3)) > 0) {
		if (insn.length > size - 1 || insn.length > 15 || !insn.length)
			abort();
		if (!insn_memory_op(&insn, &mem)) {
			insn_address(&insn, &mem, regs, rflags, &at);
			if (at.segment > INSN_GS ||
			    (insn.adsize < 8 && at.offset >> 8 * insn.adsize))
				abort();
			insn_emulate_mem(&insn, &mem, regs, &rflags, &bus);
		}
	}
	free(bytes);
	return 0;
}
