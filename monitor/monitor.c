/* SPDX-License-Identifier: MIT */
/*
 * The monitor's ear, and the loop from a line to its answer. The heartbeat of the boot CPU's vCPU
 * polls the UART; a command runs in that exit, on that CPU, and the others' vCPUs go on.
 */
#include "arch/x86/cpu.h"
#include "drivers/console.h"
#include "drivers/pit.h"
#include "drivers/serial.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/line.h"
#include "vmm/room.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/ports.h"
#include "vmm/vm0/power.h"

#define UART_PORTS 8
#define MONITOR_HZ 100u /* how often the serial line is polled */
/* How long to listen after a byte, as part of a beat's time: a terminal sends the bytes of a key,
 * or of a paste, one after the other, and the UART's FIFO is shorter than what comes until the next
 * beat. At 115200 baud a byte takes 87 microseconds. */
#define LINGER      8
#define MAX_LINGERS 1000 /* bytes in one beat, as a UART may be broken */

static struct vcpu *self;
static u16 uart;
static u64 beat_ticks;     /* of the time-stamp counter, between two beats */
static bool paused, reset; /* what commands have asked for */

static const struct command {
	const char *name, *takes, *help, *example;
	const char *(*run)(const struct arguments *args);
} commands[] = {
#define COMMAND(name, takes, help, example) {#name, takes, help, example, command_##name},
#include "monitor/commands.def"
#undef COMMAND
};

static void show(const char *s, size_t n)
{
	serial_write(uart, s, n);
}

static const char *command_name(unsigned i)
{
	return i < ARRAY_SIZE(commands) ? commands[i].name : NULL;
}

static struct line line = {.prompt = "(glasshouse) ", .show = show, .complete = command_name};

struct vcpu *monitor_vcpu(void)
{
	return self;
}

struct vcpu *vcpu_of(const char *word)
{
	u64 id = 0;

	if (!word)
		return self;
	return number_of(word, 10, &id) && id < self->vm->nr_vcpus ? self->vm->vcpus[id] : NULL;
}

static void (*called)(struct vcpu *vcpu);

/* On the vCPU's CPU: divert what it prints, while this CPU waits and prints nothing. */
static void call(struct vcpu *vcpu)
{
	console_divert(vcpu->cpu, show);
	called(vcpu);
	console_divert(self->cpu, show);
}

const char *on_vcpu(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu))
{
	called = function;
	if (!vcpu_call(vcpu, call, beat_ticks * MONITOR_HZ))
		return NULL;
	return vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI
		       ? "this vCPU waits for a SIPI as a guest: a CPU takes no NMI there, so it "
			 "cannot be asked"
		       : "this vCPU's CPU has not answered within a second";
}

static void nothing(struct vcpu *vcpu)
{
	(void)vcpu;
}

/* A vCPU that waits for a SIPI as a guest does not run, and stops at its SIPI. */
const char *monitor_pause(bool pause)
{
	const char *why = NULL;

	for (unsigned i = 0; i < self->vm->nr_vcpus; i++) {
		struct vcpu *vcpu = self->vm->vcpus[i];

		if (vcpu == self)
			continue;
		if (!pause) {
			vcpu_resume(vcpu);
			continue;
		}
		vcpu_pause(vcpu);
		if (vcpu->mp_state != MP_STATE_WAIT_FOR_SIPI && !why)
			why = on_vcpu(vcpu, nothing);
	}
	paused = pause;
	return why;
}

void monitor_reset(void)
{
	reset = true;
}

const char *command_help(const struct arguments *args)
{
	const char *name = args->word[1];

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (!name) {
			say("%-8s%-19s%s\n", c->name, c->takes, c->help);
		} else if (!strcmp(name, c->name)) {
			say("%s %s: %s\nexample: %s\n", c->name, c->takes, c->help, c->example);
			return NULL;
		}
	}
	if (name)
		return "there is no such command; help lists them";
	say("Addresses are hexadecimal, other numbers decimal. VCPU is a number; without it: 0.\n");
	return NULL;
}

static const char *run(const struct arguments *args)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(args->word[0], commands[i].name))
			return commands[i].run(args);
	return "there is no such command; help lists them";
}

static void answer(void)
{
	struct arguments args;

	split(line.text, &args);
	if (args.word[0]) {
		const char *why = run(&args);

		say("%s%s\n", why ? "err: " : "ok", why ? why : "");
	}
}

/* What has come on the line until now, and a little longer. */
static void listen(void)
{
	u64 last = rdtsc();
	unsigned bytes = 0;

	while (bytes < MAX_LINGERS) {
		int byte = serial_read(uart);

		if (byte < 0) {
			if (!bytes || rdtsc() - last > beat_ticks / LINGER)
				return;
			continue;
		}
		bytes++;
		if (line_input(&line, (char)byte)) {
			answer();
			line_begin(&line);
		}
		last = rdtsc();
	}
}

static void beat(struct vcpu *vcpu)
{
	static bool greeted;

	console_divert(vcpu->cpu, show);
	if (!greeted) {
		greeted = true;
		say("\nThe monitor of Glasshouse listens: help lists the commands.\n");
		line_begin(&line);
	}
	do
		listen();
	while (paused && !reset);
	console_divert(NULL, NULL);
	if (reset)
		vm_reset(vcpu);
}

/* Listen on the UART, which the guest sees no more. */
static bool start(const struct room_setup *setup)
{
	u64 before = rdtsc();

	pit_delay_us(1000000 / MONITOR_HZ);
	beat_ticks = rdtsc() - before;
	self = setup->vm->vcpus[0];
	uart = setup->uart;
	if (virt->start_heartbeat(self, beat_ticks, beat)) {
		pr_warn("monitor=: the monitor is not available: it needs the VMX-preemption "
			"timer, "
			"to look at its serial line while the guest runs, and this CPU has "
			"none.\n");
		return false;
	}
	hide_ports(setup->vm, uart, UART_PORTS);
	return true;
}

ROOM(.name = "monitor", .start = start);
