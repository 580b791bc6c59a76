/* SPDX-License-Identifier: MIT */
/*
 * Exits without a handler.
 */
#include "vmm/x86/unknown.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/print.h"
#include "vmm/steps.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/event.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

bool strict_mode;

int handle_unknown(struct vcpu *vcpu, const char *what)
{
	u64 rip = virt->get_sysreg(vcpu, SYSREG_RIP);
	char text[48] = "unreadable";
	u8 bytes[15];
	size_t n = fetch_guest_insn(vcpu, bytes, sizeof(bytes)), pos = 0;

	STEP(handle_unknown);
	for (size_t i = 0; i < n; i++)
		pos += (size_t)snprintf(text + pos, sizeof(text) - pos, "%s%02x", i ? " " : "",
					bytes[i]);
	if (strict_mode) {
		pr_err("vCPU %u: exit without a handler: %s at RIP %lx, bytes %s. Stopped: the "
		       "option \"strict\" is set. Boot without it to give the guest #UD instead.\n",
		       vcpu->id, what, rip, text);
		return -ENOSYS;
	}
	pr_warn_ratelimited(
		"vCPU %u: exit without a handler: %s at RIP %lx, bytes %s: #UD to the guest",
		vcpu->id, what, rip, text);
	queue_exception(vcpu, UD_VECTOR);
	return 1;
}
