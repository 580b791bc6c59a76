/* SPDX-License-Identifier: MIT */
/*
 * For checks that only a debug build makes (see arch/x86/debug/debug_build.h).
 */
#ifndef GH_DEBUG_BUILD_H
#define GH_DEBUG_BUILD_H

#define DEBUG_BUILD false

#endif
