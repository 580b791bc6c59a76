/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that exit. See exception.h.
 */
#include "vmm/exception.h"
#include "vmm/virt_ops.h"

static enum exception_verdict (*owners[NR_EXCEPTION_USERS])(struct vcpu *vcpu,
							    const struct exception *exception);

void set_exception_owner(enum exception_user user,
			 enum exception_verdict (*owner)(struct vcpu *vcpu,
							 const struct exception *exception))
{
	__atomic_store_n(&owners[user], owner, __ATOMIC_RELEASE);
}

void intercept_exceptions(struct vcpu *vcpu, enum exception_user user, u32 vectors)
{
	vcpu->exceptions[user] = vectors;
	virt->load_exceptions(vcpu);
}

void filter_page_faults(struct vcpu *vcpu, u32 mask, u32 match)
{
	vcpu->pf_mask = mask;
	vcpu->pf_match = match;
	virt->load_exceptions(vcpu);
}

bool exception_is_kept(struct vcpu *vcpu, const struct exception *exception)
{
	for (unsigned i = 0; i < NR_EXCEPTION_USERS; i++)
		if (vcpu->exceptions[i] & BIT(exception->vector) && owners[i] &&
		    owners[i](vcpu, exception) == EXCEPTION_KEEP)
			return true;
	return false;
}
