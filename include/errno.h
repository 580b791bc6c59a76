/* SPDX-License-Identifier: MIT */
/*
 * Error numbers. A function that can fail returns 0 or a negated error number. The values are
 * Linux's, so that unit tests and tools on the host agree with them.
 */
#ifndef GH_ERRNO_H
#define GH_ERRNO_H

#define ENOENT     2
#define EIO        5
#define E2BIG      7
#define ENOEXEC    8
#define EAGAIN     11
#define ENOMEM     12
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define ENODEV     19
#define EINVAL     22
#define ENOSPC     28
#define EROFS      30
#define ERANGE     34
#define ENOSYS     38
#define EOPNOTSUPP 95

#endif
