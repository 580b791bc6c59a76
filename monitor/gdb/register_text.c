/* SPDX-License-Identifier: MIT */
/*
 * The registers in gdb's packets, and their description. Pure. See registers.h.
 */
#include "monitor/gdb/registers.h"

#define REGISTER_BYTES 8u /* larger ones are in struct fxsave only */

/* Glasshouse's own names of flags are those of the SDM; gdb shows these. */
#define FLAG(name, bit) "<field name=\"" name "\" start=\"" #bit "\" end=\"" #bit "\"/>"

#define FEATURE(name) "<feature name=\"" name "\">"
#define FEATURE_END   "</feature>"
#define REGISTER(name, bits, type) \
	"<reg name=\"" #name "\" bitsize=\"" #bits "\" type=\"" type "\"/>"
#define TYPE_EFLAGS                                                                                \
	"<flags id=\"i386_eflags\" size=\"4\">" FLAG("CF", 0) FLAG("", 1) FLAG("PF", 2)            \
		FLAG("AF", 4) FLAG("ZF", 6) FLAG("SF", 7) FLAG("TF", 8) FLAG("IF", 9)              \
			FLAG("DF", 10) FLAG("OF", 11) FLAG("NT", 14) FLAG("RF", 16) FLAG("VM", 17) \
				FLAG("AC", 18) FLAG("VIF", 19) FLAG("VIP", 20)                     \
					FLAG("ID", 21) "</flags>"

#define VECTOR(name, type, count) "<vector id=\"" name "\" type=\"" type "\" count=\"" #count "\"/>"
#define VECTOR_FIELD(name)        "<field name=\"" name "\" type=\"" name "\"/>"
#define TYPE_VEC128                                                                \
	VECTOR("v4_float", "ieee_single", 4)                                       \
	VECTOR("v2_double", "ieee_double", 2)                                      \
	VECTOR("v16_int8", "int8", 16)                                             \
	VECTOR("v4_int32", "int32", 4)                                             \
	VECTOR("v2_int64", "int64", 2)                                             \
	"<union id=\"vec128\">" VECTOR_FIELD("v4_float") VECTOR_FIELD("v2_double") \
		VECTOR_FIELD("v16_int8") VECTOR_FIELD("v4_int32") VECTOR_FIELD(    \
			"v2_int64") "<field name=\"uint128\" type=\"uint128\"/></union>"

const char registers_xml[] = "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
			     "<target version=\"1.0\"><architecture>i386:x86-64</architecture>"
#include "monitor/gdb/registers.def"
			     "</target>";

#undef FEATURE
#undef FEATURE_END
#undef REGISTER
#undef TYPE_EFLAGS
#undef TYPE_VEC128
#define FEATURE(name)
#define FEATURE_END
#define TYPE_EFLAGS
#define TYPE_VEC128

static const u8 sizes[] = {
#define REGISTER(name, bits, type) (bits) / 8,
#include "monitor/gdb/registers.def"
#undef REGISTER
};

void reply_register(struct reply *reply, const struct registers *registers, enum gdb_register n)
{
	const void *at = &registers->value[n];
	bool kept = n == GDB_rbx || n == GDB_rbp || n == GDB_rsp || n == GDB_rip ||
		    (n >= GDB_r12 && n <= GDB_r15);

	if (registers->own && !kept) {
		reply_unavailable(reply, sizes[n]);
		return;
	}
	if (n >= GDB_st0 && n <= GDB_st7)
		at = registers->fpu.st[n - GDB_st0];
	else if (n >= GDB_xmm0 && n <= GDB_xmm15)
		at = registers->fpu.xmm[n - GDB_xmm0];
	reply_bytes(reply, at, sizes[n]);
}

void reply_registers(struct reply *reply, const struct registers *registers)
{
	for (unsigned n = 0; n < GDB_NR_REGISTERS; n++)
		reply_register(reply, registers, (enum gdb_register)n);
}

bool take_register(const char **at, enum gdb_register n, u64 *value)
{
	*value = 0;
	return n < GDB_NR_REGISTERS && sizes[n] <= REGISTER_BYTES &&
	       take_bytes(at, value, sizes[n]);
}
