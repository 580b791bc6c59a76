/* SPDX-License-Identifier: MIT */
/*
 * Renames the functions of lib/string.c and lib/print.c that libc has, too, so that a test program
 * can link both. These files are compiled with this header; their tests include it.
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
