// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A Linux module that does what a rootkit does: while it is loaded, the gate of one vector leads to
 * a function of its own. kind=store: it writes to the gate. kind=lidt: it loads a copy of the IDT
 * that differs in this gate. kind=call: instead, the entry of one system call leads there; it is
 * written by its address in the map of all memory, not by that which the kernel reads it by. The
 * function never runs: nothing raises this exception or makes this system call meanwhile.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include "idt.h"

static unsigned int vector;
module_param(vector, uint, 0);
static char *kind = "store";
module_param(kind, charp, 0);
static unsigned long table;
module_param(table, ulong, 0);
static unsigned int call;
module_param(call, uint, 0);

static struct idt_pointer own;
static u64 copy, good[2];

static noinline void handler(void)
{
	asm volatile("ud2");
}

static void write_gate(u64 base, const u64 value[2])
{
	u64 *gate = gate_of(base, vector);

	allow_writes(true);
	WRITE_ONCE(gate[0], value[0]);
	WRITE_ONCE(gate[1], value[1]);
	allow_writes(false);
}

static void write_call(u64 value)
{
	u32 *entry = lm_alias((u64 *)table + call);

	allow_writes(true);
	WRITE_ONCE(entry[0], (u32)value);
	WRITE_ONCE(entry[1], (u32)(value >> 32));
	allow_writes(false);
}

static void change(const u64 value[2])
{
	struct idt_pointer other = {own.limit, copy};

	if (!strcmp(kind, "store")) {
		write_gate(own.base, value);
		return;
	}
	memcpy((void *)copy, (void *)own.base, GATES * 16);
	write_gate(copy, value);
	lidt(&other);
}

static bool is_call(void)
{
	return !strcmp(kind, "call");
}

static int __init rootkit_init(void)
{
	u64 address = (u64)handler, bad[2];
	unsigned long flags;

	copy = __get_free_page(GFP_KERNEL);
	if (!copy || vector >= GATES || (is_call() && !table))
		return -EINVAL;
	local_irq_save(flags);
	if (is_call()) {
		good[0] = ((u64 *)table)[call];
		write_call(address);
		local_irq_restore(flags);
		return 0;
	}
	own = sidt();
	memcpy(good, gate_of(own.base, vector), sizeof(good));
	bad[0] = (address & 0xffff) | (good[0] & 0xffffffff0000ull) | address >> 16 << 48;
	bad[1] = address >> 32;
	change(bad);
	local_irq_restore(flags);
	return 0;
}

static void __exit rootkit_exit(void)
{
	unsigned long flags;

	local_irq_save(flags);
	if (is_call())
		write_call(good[0]);
	else if (!strcmp(kind, "store"))
		write_gate(own.base, good);
	else
		lidt(&own);
	local_irq_restore(flags);
	free_page(copy);
}

module_init(rootkit_init);
module_exit(rootkit_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Changes a gate of the IDT, or an entry of the system-call table");
