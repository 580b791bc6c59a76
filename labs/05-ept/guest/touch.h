/* SPDX-License-Identifier: MIT */
/*
 * What the guest of lab 5 writes, and the check of lab 5 expects.
 */
#ifndef GH_LABS_05_TOUCH_H
#define GH_LABS_05_TOUCH_H

#include "types.h"

/* The value for the 8 bytes at @address. @salt: the guest's parameter of that name. */
static inline u64 touch_value(u64 address, u64 salt)
{
	return (address ^ salt) * 0x9e3779b97f4a7c15ull;
}

#endif
