/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller's output port and port 92h.
 */
#include "vmm/vm0/kbc.h"
#include "arch/x86/io.h"
#include "lib/log.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/ports.h"
#include "vmm/vm0/power.h"

#define KBC_DATA       0x60
#define KBC_COMMAND    0x64
#define KBC_WRITE_PORT 0xd1 /* the next byte of data is for the output port */
#define KBC_A20_OFF    0xdd
#define KBC_PULSE      0xf0 /* to FFh: pulse the output lines whose bits are 0 */

/* Of the output port, and of the commands from F0h on. */
#define OUT_RESET 1u /* 0 resets the CPUs */
#define OUT_A20   2u

#define PORT92       0x92
#define PORT92_RESET 1u /* 0 to 1 resets the CPUs */
#define PORT92_A20   2u

static void a20_stays_on(struct vcpu *vcpu)
{
	pr_warn_ratelimited("vCPU %u: the guest at RIP %lx switches A20 off: ignored, A20 stays on",
			    vcpu->id, virt->get_sysreg(vcpu, SYSREG_RIP));
}

/*
 * A command that writes the output port is not forwarded, and neither is its data: whatever the
 * other CPUs do meanwhile, they do not reach the output port. Guests read the data port for each
 * byte from a keyboard or mouse, so it exits only from the first such command on: before that
 * command ends.
 */
static bool command_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	if (*byte == KBC_WRITE_PORT)
		watch_later(vcpu, KBC_DATA, KBC_DATA);
	__atomic_store_n(&to_vm0(vcpu->vm)->kbc_awaits_port, *byte == KBC_WRITE_PORT,
			 __ATOMIC_RELEASE);
	if (*byte == KBC_WRITE_PORT)
		return false;
	if (*byte == KBC_A20_OFF) {
		a20_stays_on(vcpu);
		return false;
	}
	if (*byte < KBC_PULSE)
		return true;
	if (!(*byte & OUT_RESET)) {
		reset_cpus(vcpu, "the keyboard controller");
		return false;
	}
	*byte |= OUT_A20;
	return true;
}

static bool output_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	if (!__atomic_exchange_n(&to_vm0(vcpu->vm)->kbc_awaits_port, false, __ATOMIC_ACQ_REL))
		return true;
	if (!(*byte & OUT_A20))
		a20_stays_on(vcpu);
	if (!(*byte & OUT_RESET))
		reset_cpus(vcpu, "the keyboard controller");
	return false;
}

static bool port92_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	if (*byte & PORT92_RESET && !(pio_in(vcpu, PORT92) & PORT92_RESET)) {
		reset_cpus(vcpu, "port 92h");
		return false;
	}
	if (!(*byte & PORT92_A20))
		a20_stays_on(vcpu);
	*byte |= PORT92_A20;
	return true;
}

int kbc_init(struct vm0 *vm0)
{
	int r = watch_port(vm0,
			   &(struct port_watch){.port = KBC_COMMAND, .written = command_written});

	if (!r)
		r = watch_port(vm0,
			       &(struct port_watch){.port = PORT92, .written = port92_written});
	if (!r)
		r = watch_port(vm0, &(struct port_watch){.port = KBC_DATA,
							 .later = true,
							 .written = output_written});
	return r;
}
