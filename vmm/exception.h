/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of the guest that exit: who wants to see which, and how the guest gets those that
 * nobody keeps.
 */
#ifndef GH_VMM_EXCEPTION_H
#define GH_VMM_EXCEPTION_H

#include "vmm/vcpu.h"

struct exception {
	u8 vector; /* 0 to 31 */
	u8 type;   /* enum event_type: EVENT_EXCEPTION, EVENT_SOFT_EXCEPTION (INT3 and INTO), or
		      EVENT_PRIV_EXCEPTION (INT1) */
	bool has_error_code;
	u32 error_code;
	u32 insn_len; /* bytes, of INT3, INTO and INT1 */
	/* #PF: the linear address. #DB: its reasons, at the places of DR6, and bit 16 is set for an
	 * RTM region. SDM: "Exit Qualification". */
	u64 payload;
};

/* What an owner says about an exception: the guest gets it as without Glasshouse; or not at all,
 * and continues at its RIP, which the owner may have changed. */
enum exception_verdict { EXCEPTION_REFLECT, EXCEPTION_KEEP };

/*
 * Have the exceptions of @vectors (a mask) of @vcpu exit for @user, instead of those before. The
 * vectors of all users together exit. On the vCPU's CPU, in root mode.
 */
void intercept_exceptions(struct vcpu *vcpu, enum exception_user user, u32 vectors);

/* Of the page faults that EXCEPTIONS_ICEPT intercepts, only those exit whose error code, masked by
 * @mask, is @match. Both 0: all. On the vCPU's CPU, in root mode. */
void filter_page_faults(struct vcpu *vcpu, u32 mask, u32 match);

/*
 * @owner is asked about the exceptions that @user intercepts: in the exit, on the vCPU's CPU. For
 * all VMs; before the first call of intercept_exceptions(). NULL: reflect all, as without an owner.
 */
void set_exception_owner(enum exception_user user,
			 enum exception_verdict (*owner)(struct vcpu *vcpu,
							 const struct exception *exception));

/* Ask the owners about @exception. Returns true if one of them keeps it. */
bool exception_is_kept(struct vcpu *vcpu, const struct exception *exception);

/*
 * Give @exception, which the CPU has not delivered because it exits, to the guest, with all that
 * its delivery changes: CR2; or DR6, DR7.GD and IA32_DEBUGCTL. If it happened during the delivery
 * of an event, which is queued, the two become a double or a triple fault where the SDM says so.
 * SDM: "Reflecting Exceptions to Guest Software", "Architectural State Before a VM Exit",
 * "Interrupt 8—Double Fault Exception (#DF)".
 */
void reflect_exception(struct vcpu *vcpu, const struct exception *exception);

#endif
