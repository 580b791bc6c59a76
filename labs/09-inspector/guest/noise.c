// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A Linux module that does what an inspector must not take for an attack. With the IDT: it writes
 * the same bytes to the gate again, changes another gate and puts it back, loads the same IDT
 * again, and for a moment a copy of it; then it writes to the copy, which is not in use. With the
 * system-call table: it writes the same address to the entry again, and changes the next one and
 * puts it back.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/string.h>

#include "idt.h"

static unsigned int vector;
module_param(vector, uint, 0);
static unsigned long table;
module_param(table, ulong, 0);
static unsigned int call;
module_param(call, uint, 0);

static void write_gates(u64 base)
{
	u64 *gate = gate_of(base, vector), *other = gate_of(base, (vector + 1) % GATES);
	u64 low = other[0];

	WRITE_ONCE(gate[0], gate[0]);
	WRITE_ONCE(gate[1], gate[1]);
	WRITE_ONCE(other[0], low ^ 0xffff);
	WRITE_ONCE(other[0], low);
}

static void write_calls(u64 *entry)
{
	u64 other = entry[1];

	WRITE_ONCE(entry[0], entry[0]);
	WRITE_ONCE(entry[1], ~other);
	WRITE_ONCE(entry[1], other);
}

static void load_copy(const struct idt_pointer *own, u64 copy)
{
	struct idt_pointer other = {own->limit, copy};

	memcpy((void *)copy, (void *)own->base, GATES * 16);
	lidt(own);
	lidt(&other);
	lidt(own);
	WRITE_ONCE(*gate_of(copy, vector), 0);
}

static int __init noise_init(void)
{
	u64 copy = __get_free_page(GFP_KERNEL);
	struct idt_pointer own;
	unsigned long flags;

	if (!copy || vector >= GATES || !table)
		return -EINVAL;
	local_irq_save(flags);
	own = sidt();
	allow_writes(true);
	write_gates(own.base);
	write_calls((u64 *)table + call);
	load_copy(&own, copy);
	allow_writes(false);
	local_irq_restore(flags);
	free_page(copy);
	return 0;
}

static void __exit noise_exit(void)
{
}

module_init(noise_init);
module_exit(noise_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Writes to the IDT and the system-call table without changing them");
