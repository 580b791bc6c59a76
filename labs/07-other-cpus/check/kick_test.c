/* SPDX-License-Identifier: MIT */
/*
 * A test of kicks. See other.h.
 */
#include "labs/07-other-cpus/check/other.h"

static void nothing(struct vcpu *vcpu)
{
	(void)vcpu;
}

const char *test_kick(struct vcpu *vcpu)
{
	lab_quiet();
	for (unsigned i = 0; i < 10; i++)
		if (vcpu_call(vcpu, nothing, 100000))
			return "the vCPU does not come when it is called";
	return NULL;
}
