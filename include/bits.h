/* SPDX-License-Identifier: MIT */
/*
 * Macros for bits, sizes and alignment; compiler attributes.
 */
#ifndef GH_BITS_H
#define GH_BITS_H

#include "types.h"

/* Bit numbers are 0 to 63, and hi >= lo. Alignments are powers of two. MIN and MAX may evaluate an
 * argument twice. */
#define BIT(n)           (1ull << (n))
#define GENMASK(hi, lo)  ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a) ((x) & ~((u64)(a)-1))
#define ALIGN_UP(x, a)   (((x) + ((u64)(a)-1)) & ~((u64)(a)-1))
#define IS_ALIGNED(x, a) (((x) & ((u64)(a)-1)) == 0)
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (~(PAGE_SIZE - 1))

/* Read @x, which another CPU may change, exactly once. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)
#define __packed       __attribute__((packed))
#define __aligned(n)   __attribute__((aligned(n)))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __noreturn     __attribute__((noreturn))
#define __noinline     __attribute__((noinline))
#define __unused       __attribute__((unused))
#define __used         __attribute__((used))
#define __section(s)   __attribute__((section(s)))

/*
 * True if the ranges of @alen bytes at @a and @blen bytes at @b overlap. An empty range overlaps
 * nothing; one that would wrap around ends at the top of the address space.
 */
static inline bool ranges_overlap(u64 a, u64 alen, u64 b, u64 blen)
{
	return alen && blen && (a <= b ? b - a < alen : a - b < blen);
}

#endif
