/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What both modules of lab 9 do with the IDT, and with memory that Linux maps read-only. Call these
 * with interrupts disabled.
 */
#ifndef LAB_09_IDT_H
#define LAB_09_IDT_H

#include <linux/types.h>

#define GATES 256

struct idt_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

static inline struct idt_pointer sidt(void)
{
	struct idt_pointer pointer;

	asm volatile("sidt %0" : "=m"(pointer));
	return pointer;
}

static inline void lidt(const struct idt_pointer *pointer)
{
	asm volatile("lidt %0" : : "m"(*pointer));
}

/* A gate's 16 bytes. Linux maps the IDT read-only. */
static inline u64 *gate_of(u64 base, unsigned int vector)
{
	return (u64 *)base + 2 * vector;
}

/* Let the kernel write to pages that it has mapped read-only, or no more. */
#define CR0_WP 0x10000ul
static inline void allow_writes(bool yes)
{
	unsigned long cr0;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = yes ? cr0 & ~CR0_WP : cr0 | CR0_WP;
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

#endif
