/* SPDX-License-Identifier: MIT */
/*
 * What the check of lab 7 and the student's test (kick_test.c) need of each other.
 */
#ifndef GH_LABS_OTHER_H
#define GH_LABS_OTHER_H

#include "vmm/vcpu.h"

/*
 * kick_test.c: @vcpu runs its guest, on another CPU. Returns NULL if kicks work; otherwise what is
 * wrong.
 */
const char *test_kick(struct vcpu *vcpu);

/*
 * check.c: the guest on the other CPU executes CPUID again and again. This call ends that: when it
 * returns, the guest is in a loop without exits, until test_kick() has returned.
 */
void lab_quiet(void);

#endif
