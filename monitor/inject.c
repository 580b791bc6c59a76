/* SPDX-License-Identifier: MIT */
/*
 * Commands that send something to a vCPU: inject, kick.
 */
#include "arch/x86/cpu.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/event.h"
#include "vmm/virt_ops.h"

/* VM entry demands an error code for #CP on CPUs that have that exception, and refuses one on
 * others. SDM: "VM-Entry Controls for Event Injection". */
static bool has_control_protection(void)
{
	struct cpuid_regs features = cpuid(7, 0);

	return cpuid(0, 0).eax >= 7 && (features.ecx & BIT(7) || features.edx & BIT(20));
}

/* For deliver(), on the vCPU's CPU. */
static struct {
	enum event_type type;
	u8 vector;
	u32 error_code;
	const char *why;
} sent;

/* The local APIC does not know of this interrupt, so it must be one that the guest takes now. */
static const char *deliver_interrupt(struct vcpu *vcpu)
{
	if (!(virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_IF))
		return "the guest has interrupts off (IF is 0) on this vCPU; try again";
	if (!virt->nmi_allowed(vcpu))
		return "the guest is in the shadow of STI or MOV SS, or handles an NMI; try again";
	queue_interrupt(vcpu, sent.vector);
	return NULL;
}

static void deliver(struct vcpu *vcpu)
{
	sent.why = NULL;
	if (vcpu->mp_state != MP_STATE_RUNNABLE)
		sent.why = "this vCPU waits for a SIPI: it takes no events";
	else if (sent.type == EVENT_NMI)
		queue_nmi(vcpu);
	else if (vcpu->event.valid)
		sent.why = "another event is being delivered to this vCPU; try again";
	else if (sent.type == EVENT_EXT_INTR)
		sent.why = deliver_interrupt(vcpu);
	else if (BIT(sent.vector) & WITH_ERROR_CODE)
		queue_exception_e(vcpu, sent.vector, sent.error_code);
	else
		queue_exception(vcpu, sent.vector);
}

static const char *parse(const char *const *word)
{
	u64 vector = NMI_VECTOR, error_code = 0;
	bool interrupt = word[0] && !strcmp(word[0], "irq");

	if (!word[0] || (!interrupt && strcmp(word[0], "exc") != 0 && strcmp(word[0], "nmi") != 0))
		return "say irq VECTOR, exc VECTOR [ERROR] or nmi";
	sent.type = interrupt                 ? EVENT_EXT_INTR
		    : !strcmp(word[0], "exc") ? EVENT_EXCEPTION
					      : EVENT_NMI;
	if (word[1] && (sent.type == EVENT_NMI || (interrupt && word[2])))
		return TOO_MANY;
	if (sent.type != EVENT_NMI) {
		const char *why = parse_number("VECTOR", word[1], 10, 255, &vector);

		if (why)
			return why;
	}
	if (interrupt && (vector < 16 || vector > 255))
		return "the vectors of interrupts are 16 to 255";
	if (sent.type == EVENT_EXCEPTION && (vector > 31 || vector == NMI_VECTOR))
		return "the vectors of exceptions are 0 to 31, without 2";
	if (sent.type == EVENT_EXCEPTION && vector == CP_VECTOR && !has_control_protection())
		return "this CPU has no exception 21";
	if (word[1] && word[2] && (!number_of(word[2], 16, &error_code) || error_code >> 16))
		return "an error code has 16 bits";
	sent.vector = (u8)vector;
	sent.error_code = (u32)error_code;
	return NULL;
}

const char *command_inject(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);
	const char *why;

	if (!args->word[1])
		return missing("VCPU");
	if (!vcpu)
		return NO_VCPU;
	why = parse(&args->word[2]);
	if (!why)
		why = on_vcpu(vcpu, deliver);
	return why ? why : sent.why;
}

const char *command_kick(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);

	if (!args->word[1])
		return missing("VCPU");
	if (!vcpu)
		return NO_VCPU;
	vcpu_make_request(vcpu, REQ_EVENT);
	return NULL;
}
