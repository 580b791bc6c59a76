/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's registers, as gdb sees them. The x87 and XMM registers are the guest's in the CPU
 * itself, as Glasshouse does not use them; they cannot be set.
 */
#ifndef GH_MONITOR_GDB_REGISTERS_H
#define GH_MONITOR_GDB_REGISTERS_H

#include "arch/x86/fpu.h"
#include "monitor/gdb/packet.h"

struct vcpu;

enum gdb_register {
#define FEATURE(name)
#define FEATURE_END
#define TYPE_EFLAGS
#define TYPE_VEC128
#define REGISTER(name, bits, type) GDB_##name,
#include "monitor/gdb/registers.def"
#undef FEATURE
#undef FEATURE_END
#undef TYPE_EFLAGS
#undef TYPE_VEC128
#undef REGISTER
	GDB_NR_REGISTERS
};

/* The target description: XML. Source: GDB's manual, "Target Description Format". */
extern const char registers_xml[];

struct registers {
	u64 value[GDB_NR_REGISTERS]; /* of those that have at most 64 bits */
	struct fxsave fpu;
	bool own; /* they are Glasshouse's: see own.h */
};

/* Read all of @vcpu's registers. On its own CPU, between an exit and an entry. */
void registers_read(struct vcpu *vcpu, struct registers *registers);

/*
 * Set register @n. On the vCPU's own CPU. Returns false if this one cannot be set, or not to
 * @value: only general registers, RIP and the arithmetic flags can, because a VM entry would refuse
 * many values of the others.
 */
bool registers_write(struct vcpu *vcpu, enum gdb_register n, u64 value);

/* The x87 tag word, with two bits for each register, of which FXSAVE stores one. SDM: "Recreating
 * FSAVE Format". */
u16 full_tag_word(const struct fxsave *fpu);

/* Add register @n to @reply, or all. */
void reply_register(struct reply *reply, const struct registers *registers, enum gdb_register n);
void reply_registers(struct reply *reply, const struct registers *registers);

/* Take the value of register @n, which has at most 64 bits. */
bool take_register(const char **at, enum gdb_register n, u64 *value);

#endif
