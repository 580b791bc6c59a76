/* SPDX-License-Identifier: MIT */
/*
 * Integer types, and types for the kinds of addresses of a guest and its host.
 */
#ifndef GH_TYPES_H
#define GH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 gva_t; /* guest linear (virtual) address */
typedef u64 gpa_t; /* guest-physical address */
typedef u64 gfn_t; /* guest frame number: gpa >> PAGE_SHIFT */
typedef u64 hpa_t; /* host-physical address */

#endif
