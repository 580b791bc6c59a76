/* SPDX-License-Identifier: MIT */
/*
 * Machine checks in root mode. See mcheck.h. SDM: "Machine-Check Architecture", "Interrupt 18—
 * Machine-Check Exception (#MC)".
 */
#include "vmm/vm0/mcheck.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/vm0.h"

/* Describe the banks that hold an error, as many as fit into @text of @size bytes. */
static void format_banks(char *text, size_t size)
{
	u64 cap, status, address, misc;
	size_t pos = 0;

	strlcpy(text, ", no bank holds an error", size);
	rdmsr_safe(MSR_IA32_MCG_CAP, &cap);
	for (u32 i = 0; i < (cap & MCG_CAP_BANKS) && pos < size; i++) {
		u32 msr = MSR_IA32_MC0_STATUS + 4 * i;

		if (rdmsr_safe(msr, &status) || !(status & MCI_STATUS_VAL))
			continue;
		address = misc = 0;
		if (status & MCI_STATUS_ADDRV)
			rdmsr_safe(msr + 1, &address);
		if (status & MCI_STATUS_MISCV)
			rdmsr_safe(msr + 2, &misc);
		pos += (size_t)snprintf(text + pos, size - pos,
					", bank %u: status %lx address %lx misc %lx", i, status,
					address, misc);
	}
}

static void panic_with_banks(const char *why) __noreturn;
static void panic_with_banks(const char *why)
{
	char banks[160];
	u64 status;

	rdmsr_safe(MSR_IA32_MCG_STATUS, &status);
	format_banks(banks, sizeof(banks));
	panic("machine check, and %s: MCG_STATUS %lx%s", why, status, banks);
}

/* While MCG_STATUS says that a machine check is being handled, the next one shuts this CPU down. */
static void allow_the_next(void)
{
	wrmsr_safe(MSR_IA32_MCG_STATUS, 0);
}

static void make_request(struct vcpu *vcpu)
{
	vcpu_make_request(vcpu, REQ_MACHINE_CHECK);
	virt->request_immediate_exit(vcpu);
}

void machine_check_with(u64 status)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	/* Machine checks are signalled on all CPUs; the others report it. */
	if (this_cpu()->parked) {
		allow_the_next();
		return;
	}
	if (!(status & MCG_STATUS_RIPV))
		panic_with_banks("the CPU cannot continue");
	if (!vcpu)
		panic_with_banks("this CPU has no guest");
	make_request(vcpu);
}

void machine_check(struct trap_frame *frame)
{
	u64 status;

	(void)frame;
	rdmsr_safe(MSR_IA32_MCG_STATUS, &status);
	machine_check_with(status);
}

/* The banks are not changed: the guest reads them. Nor is MCG_STATUS where the guest's handler
 * clears it. */
void deliver_machine_check(struct vcpu *vcpu)
{
	char banks[160];

	if (vcpu->event.valid) {
		/* Deliver the event first, then #MC before the guest's next instruction. */
		make_request(vcpu);
		return;
	}
	format_banks(banks, sizeof(banks));
	/* Machine checks are signalled on all CPUs: one that runs a guest delivers it. */
	if (vcpu->mp_state != MP_STATE_RUNNABLE) {
		allow_the_next();
		pr_warn_ratelimited("vCPU %u: machine check while it waits for a SIPI%s: the other "
				    "CPUs deliver it",
				    vcpu->id, banks);
		return;
	}
	if (!(virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_MCE))
		panic_with_banks("the guest does not accept it (CR4.MCE is 0)");
	pr_warn_ratelimited("vCPU %u: machine check while Glasshouse ran%s: #MC to the guest",
			    vcpu->id, banks);
	vcpu->event =
		(struct vcpu_event){.valid = true, .type = EVENT_EXCEPTION, .vector = MC_VECTOR};
}
