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

/* The data port exits only while the next byte written there is for the output port. */
static void await_port(struct vm0 *vm0, bool on)
{
	if (__atomic_exchange_n(&vm0->kbc_awaits_port, on, __ATOMIC_ACQ_REL) != on)
		virt->set_io_intercept(&vm0->vm, KBC_DATA, 1, on);
}

/* A command that writes the output port is not forwarded, and neither is its data: another CPU
 * could write another byte between them. */
static bool command_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	await_port(to_vm0(vcpu->vm), *byte == KBC_WRITE_PORT);
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

static bool data_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);

	(void)io;
	(void)value;
	if (!__atomic_load_n(&vm0->kbc_awaits_port, __ATOMIC_ACQUIRE))
		return true;
	await_port(vm0, false);
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
	if (*byte & PORT92_RESET && !(inb(PORT92) & PORT92_RESET)) {
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
		r = watch_port(vm0,
			       &(struct port_watch){.port = KBC_DATA, .written = data_written});
	virt->set_io_intercept(&vm0->vm, KBC_DATA, 1, false);
	return r;
}
