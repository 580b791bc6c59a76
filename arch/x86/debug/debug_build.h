/* SPDX-License-Identifier: MIT */
/*
 * For checks that only a debug build makes (make BUILD_TYPE=debug). A release build includes
 * arch/x86/release/debug_build.h instead.
 */
#ifndef GH_DEBUG_BUILD_H
#define GH_DEBUG_BUILD_H

#define DEBUG_BUILD true

#endif
