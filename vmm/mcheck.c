/* SPDX-License-Identifier: MIT */
/*
 * Machine checks that hit us. In the guest they are the guest's, without an exit; in root mode it
 * gets them too, if the CPU can go on. SDM: "Machine-Check Architecture", "Interrupt 18—
 * Machine-Check Exception (#MC)".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmm/virt_ops.h"

#define MSR_MCG_CAP    0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MC0_STATUS 0x401
#define MCG_CAP_BANKS  0xff
#define MCG_RIPV       BIT(0)
#define MCI_VALID      BIT(63)
#define MCI_MISCV      BIT(59)
#define MCI_ADDRV      BIT(58)

/* The banks that hold an error, as many as there is room for. */
static void name_banks(char *text, size_t size)
{
	u64 cap, status, address, misc;
	size_t pos = 0;

	strlcpy(text, ", no bank says why", size);
	rdmsr_safe(MSR_MCG_CAP, &cap);
	for (u32 i = 0; i < (cap & MCG_CAP_BANKS) && pos < size; i++) {
		u32 msr = MSR_MC0_STATUS + 4 * i;

		if (rdmsr_safe(msr, &status) || !(status & MCI_VALID))
			continue;
		address = misc = 0;
		if (status & MCI_ADDRV)
			rdmsr_safe(msr + 1, &address);
		if (status & MCI_MISCV)
			rdmsr_safe(msr + 2, &misc);
		pos += (size_t)snprintf(text + pos, size - pos,
					", bank %u: status %lx address %lx misc %lx", i, status,
					address, misc);
	}
}

static void give_up(const char *why) __noreturn;
static void give_up(const char *why)
{
	char banks[160];
	u64 status;

	rdmsr_safe(MSR_MCG_STATUS, &status);
	name_banks(banks, sizeof(banks));
	panic("machine check, and %s: MCG_STATUS %lx%s", why, status, banks);
}

void machine_check_with(u64 status)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	if (!(status & MCG_RIPV))
		give_up("the CPU cannot go on");
	if (!vcpu)
		give_up("no guest runs here");
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_MACHINE_CHECK, __ATOMIC_SEQ_CST);
	virt->request_immediate_exit(vcpu);
}

void machine_check(struct trap_frame *frame)
{
	u64 status;

	(void)frame;
	rdmsr_safe(MSR_MCG_STATUS, &status);
	machine_check_with(status);
}

/* Banks and MCG_STATUS are as the CPU left them: the guest reads them by itself. */
void deliver_machine_check(struct vcpu *vcpu)
{
	char banks[160];

	if (vcpu->event.valid) {
		/* That first, then this before the guest's next instruction. */
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_MACHINE_CHECK, __ATOMIC_SEQ_CST);
		virt->request_immediate_exit(vcpu);
		return;
	}
	if (vcpu->mp_state != MP_STATE_RUNNABLE || !(virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_MCE))
		give_up("the guest takes none (CR4.MCE is clear)");
	name_banks(banks, sizeof(banks));
	pr_warn_ratelimited("vCPU %u: machine check while Glasshouse ran%s: #MC to the guest",
			    vcpu->id, banks);
	vcpu->event =
		(struct vcpu_event){.valid = true, .type = EVENT_EXCEPTION, .vector = MC_VECTOR};
}
