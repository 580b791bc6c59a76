/* SPDX-License-Identifier: MIT */
/*
 * What the checks of all labs use. A check is compiled into the lab's image only. It prints its
 * results in TAP, with the numbers of the lab's tests (check.py), and the values that the answers
 * are compared with.
 */
#ifndef GH_LABS_COMMON_LAB_H
#define GH_LABS_COMMON_LAB_H

#include "bits.h"

/* Print the result of the test @number: passed if @why is NULL; otherwise failed, and why. */
void lab_result(unsigned number, const char *why);

/* Stop the machine if a test has failed until now: a guest would not get far with these functions.
 */
void lab_stop_if_failed(void);

/* Print the value of the answer @key, for tools/labs/lab.py. */
void lab_key(const char *key, const char *fmt, ...) __printf(2, 3);

/* Print all markers (vmm/steps.h): name, function, file and line, KVM's functions in 2.6.33,
 * 3.18 and 6.1. (markers.c) */
void lab_tell_markers(void);

/* The next random number of this lab and seed. */
u64 lab_random(void);

#endif
