/* SPDX-License-Identifier: MIT */
/*
 * Errors. A function that can fail returns 0 or one of these, negated; the
 * values are Linux's, so that host tools and unit tests read them alike.
 */
#ifndef GH_ERRNO_H
#define GH_ERRNO_H

#define ENOENT     2
#define EIO        5
#define E2BIG      7
#define ENOEXEC    8
#define ENOMEM     12
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define ENODEV     19
#define EINVAL     22
#define ENOSPC     28
#define ERANGE     34
#define ENOSYS     38
#define EOPNOTSUPP 95

#endif
