/* SPDX-License-Identifier: MIT */
/*
 * Bits, sizes, alignment, and what the compiler is told.
 */
#ifndef GH_BITS_H
#define GH_BITS_H

#include "types.h"

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

/* A value that another CPU may change: read once, here and now. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)
#define __packed       __attribute__((packed))
#define __aligned(n)   __attribute__((aligned(n)))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __noreturn     __attribute__((noreturn))
#define __noinline     __attribute__((noinline))
#define __unused       __attribute__((unused))

/*
 * True when the ranges of @alen bytes at @a and @blen bytes at @b share a byte; lengths of 0 share
 * none. One that would wrap around ends at the top of the address space.
 */
static inline bool ranges_overlap(u64 a, u64 alen, u64 b, u64 blen)
{
	return alen && blen && (a <= b ? b - a < alen : a - b < blen);
}

#endif
