/* SPDX-License-Identifier: MIT */
/*
 * Port and memory-mapped I/O. Each function makes exactly one access of its width. inb(port) and
 * outb(port, value) access 8 bits, inw and outw 16, inl and outl 32. SDM: "Input/Output".
 */
#ifndef GH_IO_H
#define GH_IO_H

#include "types.h"

#define DEFINE_IO(suffix, type)                                               \
	static inline type in##suffix(u16 port)                               \
	{                                                                     \
		type v;                                                       \
		asm volatile("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port));  \
		return v;                                                     \
	}                                                                     \
	static inline void out##suffix(u16 port, type v)                      \
	{                                                                     \
		asm volatile("out" #suffix " %0, %1" : : "a"(v), "Nd"(port)); \
	}
DEFINE_IO(b, u8)
DEFINE_IO(w, u16)
DEFINE_IO(l, u32)
#undef DEFINE_IO

static inline u32 mmio_read32(const volatile void *p)
{
	return *(const volatile u32 *)p;
}

static inline void mmio_write32(volatile void *p, u32 v)
{
	*(volatile u32 *)p = v;
}

#endif
