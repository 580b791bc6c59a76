/* SPDX-License-Identifier: MIT */
/*
 * Lab 7, hole 10: your test of kicks. Your file takes the place of
 * labs/07-other-cpus/check/kick_test.c.
 */
#include "labs/07-other-cpus/check/other.h"

/* Given: a function that a vCPU may call. */
static void nothing(struct vcpu *vcpu)
{
	(void)vcpu;
}

/*
 * Hole 10. A test is good if it passes on right code, and fails on wrong code. Write one for kicks.
 * @vcpu runs its guest on another CPU. Return NULL if a kick makes it come, or a sentence that says
 * what is wrong. It runs several times: with your holes 2 and 3, first and last, and with three
 * broken ones (check.c has them: __wrap_smp_send_nmi, __wrap_vcpu_make_request):
 *
 *  - no NMI is sent;
 *  - the request is posted after the kick, not before;
 *  - the first kick works, but no other one.
 *
 * vcpu_call(vcpu, function, ticks) (vmm/vcpu.h) posts a request, kicks, and waits: it returns 0
 * when the other CPU has called function(vcpu), or -EBUSY if it has not begun to within that many
 * ticks. 100,000 are plenty. But a guest that exits by itself comes without a kick, too: see
 * lab_quiet() in other.h.
 */
const char *test_kick(struct vcpu *vcpu)
{
	(void)vcpu, (void)nothing;
	return "Lab 7: test_kick() is yours to write";
}
