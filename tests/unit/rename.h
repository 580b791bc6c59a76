/* SPDX-License-Identifier: MIT */
/*
 * Our own versions of what libc has too, under names of their own, so that a test program can hold
 * both. lib/string.c and lib/print.c are built with this; their tests include it.
 */
#ifndef GH_TEST_RENAME_H
#define GH_TEST_RENAME_H

#define memcpy    gh_memcpy
#define memmove   gh_memmove
#define memset    gh_memset
#define memcmp    gh_memcmp
#define strlen    gh_strlen
#define strcmp    gh_strcmp
#define strncmp   gh_strncmp
#define strchr    gh_strchr
#define vsnprintf gh_vsnprintf
#define snprintf  gh_snprintf

#endif
