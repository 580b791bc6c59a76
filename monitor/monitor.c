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
#include "monitor/gdb/gdb.h"
#include "monitor/line.h"
#include "monitor/script.h"
#include "monitor/share.h"
#include "monitor/terminal.h"
#include "monitor/watch.h"
#include "vmm/room.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/ports.h"
#include "vmm/vm0/power.h"

#define UART_PORTS 8
#define MONITOR_HZ 100u /* how often the serial line is polled */
#define CTRL_C     3
/* How long to listen after a byte, as part of a beat's time: a terminal sends the bytes of a key,
 * or of a paste, one after the other, and the UART's FIFO is shorter than what comes until the next
 * beat. At 115200 baud a byte takes 87 microseconds. */
#define LINGER      8
#define MAX_LINGERS 1000  /* bytes in one beat, as a UART may be broken */
#define MAX_DROPPED 65536 /* bytes, for the same reason */
/* When a paste is to come the beat is this much faster, so that a UART with a FIFO of 16 bytes
 * keeps all that comes between two beats at 115200 baud. An empty line, or Ctrl-T, announces one:
 * so long it is waited for, and so long for more of it. */
#define FASTER        10
#define PASTE_SECONDS 60
#define MORE_SECONDS  1
#define MAX_PAGE      1000
#define MIN_WIDTH     20
#define TOO_LONG      "the line is too long; there is room for 255 characters"
#define GDB_BEATS     10 /* how long to wait for the rest of a packet of gdb */

static struct vcpu *self;
static u16 uart;                   /* 0: there is no monitor, only scripts */
static bool shared;                /* the UART is the guest's, too: see share.h */
static bool has_terminal;          /* and the monitor has it now; if it is not shared: always */
static u64 beat_ticks;             /* of the time-stamp counter, between two beats */
static u64 paste_until;            /* a paste may come until then; 0: none */
static bool beats, fast;           /* the heart does */
static bool in_beat;               /* beat() runs */
static bool paused, reset;         /* what commands have asked for */
static bool (*live)(bool stopped); /* what to call at each beat; see monitor_live() */

static bool lost; /* the UART has lost bytes, since listen() looked */

static int receive(void)
{
	int byte = !uart ? -1 : shared ? share_receive() : serial_read(uart);

	if (byte >= 0 && byte & SERIAL_LOST)
		lost = true;
	return byte < 0 ? -1 : byte & 0xff;
}

static void send(const char *s, size_t n)
{
	if (shared)
		share_send(s, n);
	else
		serial_write(uart, s, n);
}

/* Somebody has typed that the terminal is the guest's again. */
static bool is_left(void)
{
	return shared && share_is_left();
}

static struct terminal terminal = {.read = receive, .write = send, .is_left = is_left};

static void show(const char *s, size_t n)
{
	if (gdb_attached())
		gdb_print(s, n);
	else
		terminal_write(&terminal, s, n);
}

static void show_text(const char *text)
{
	show(text, strlen(text));
}

static void send_to_gdb(const char *s, size_t n)
{
	terminal_write(&terminal, s, n);
}

static void beat(struct vcpu *vcpu);

static struct line line = {.prompt = "(glasshouse) ", .show = show, .complete = command_word};

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

u64 monitor_second(void)
{
	return beat_ticks * MONITOR_HZ;
}

static void (*called)(struct vcpu *vcpu);

/* On the vCPU's CPU: divert what it prints, while this CPU waits and prints nothing. */
static void call(struct vcpu *vcpu)
{
	console_divert(vcpu->cpu, row_text);
	called(vcpu);
	console_divert(self->cpu, row_text);
}

const char *on_vcpu(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu))
{
	called = function;
	if (!vcpu_call(vcpu, call, monitor_second()))
		return NULL;
	return vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI
		       ? "this vCPU waits for a SIPI as a guest: a CPU takes no NMI there, so it "
			 "cannot be asked"
		       : "this vCPU's CPU has not answered within a second";
}

/* What its exits print belongs to the log, not to the answer. */
void monitor_run_once(void)
{
	console_divert(NULL, NULL);
	vcpu_run_once(self);
	console_divert(self->cpu, row_text);
}

static void nothing(struct vcpu *vcpu)
{
	(void)vcpu;
}

/* One that waits for a SIPI as a guest is in no exit. */
const char *monitor_pass_all(void)
{
	const char *why = NULL;

	for (unsigned i = 0; !why && i < self->vm->nr_vcpus; i++)
		if (self->vm->vcpus[i]->mp_state != MP_STATE_WAIT_FOR_SIPI)
			why = on_vcpu(self->vm->vcpus[i], nothing);
	return why;
}

/* A vCPU that waits for a SIPI as a guest does not run, and stops at its SIPI. */
const char *monitor_pause(bool pause)
{
	const char *why = NULL;

	if (gdb_attached())
		return "the vCPUs are gdb's";
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
	return why ? "a vCPU's CPU has not answered within a second: it stops when it can, the "
		     "others are paused; resume lets all run"
		   : NULL;
}

bool monitor_is_paused(void)
{
	return paused || gdb_attached();
}

void monitor_release(struct vcpu *vcpu)
{
	if (!paused && !gdb_keeps(vcpu) && vcpu != self)
		vcpu_resume(vcpu);
}

void monitor_live(bool (*function)(bool stopped))
{
	live = function;
}

bool monitor_end_live(void)
{
	if (!live)
		return false;
	live(true);
	live = NULL;
	return true;
}

void monitor_reset(void)
{
	reset = true;
}

bool monitor_stopped(void)
{
	return terminal_stopped(&terminal);
}

const char *command_page(const struct arguments *args)
{
	u64 lines = 0, columns = 0;
	const char *why = NULL;

	if (args->word[1])
		why = parse_number("LINES", args->word[1], 10, ~0ull, &lines);
	if (!why && args->word[1] && args->word[2])
		why = parse_number("COLUMNS", args->word[2], 10, ~0ull, &columns);
	if (why)
		return why;
	terminal.page = (unsigned)MIN(lines, MAX_PAGE);
	terminal.width = columns < MIN_WIDTH ? 0 : (unsigned)MIN(columns, MAX_PAGE);
	return NULL;
}

static void answer(void)
{
	struct arguments args;
	const char *why;

	split(line.text, &args);
	if (!args.word[0])
		return;
	row_begin(take_word(&args, "-j"), show);
	terminal.for_program = row_is_json();
	terminal_begin(&terminal);
	why = line.too_long ? TOO_LONG : command_run(&args);
	if (terminal_end(&terminal))
		why = "stopped";
	if (why)
		live = NULL;
	if (!live)
		row_end(why);
}

static const char *run_for_gdb(char *text)
{
	struct arguments args;
	const char *why;

	split(text, &args);
	why = args.word[0] ? command_run(&args) : NULL;
	if (monitor_end_live())
		why = "this goes on while the guest runs: it is for the monitor, after detach";
	return why;
}

static bool quiet_since(u64 tick)
{
	return rdtsc() - tick > (gdb_expects() ? GDB_BEATS * beat_ticks : beat_ticks / LINGER);
}

/* Bytes were lost: drop what comes until the line is quiet. The rest of a paste may be another
 * command than what was meant; gdb sends a packet again. */
static void drop_paste(void)
{
	bool gdbs = gdb_attached() || gdb_expects();
	u64 last = rdtsc();

	for (unsigned bytes = 0; bytes < MAX_DROPPED && rdtsc() - last < beat_ticks / LINGER;) {
		int byte = terminal_read(&terminal);

		if (byte < 0)
			continue;
		gdbs |= byte == '$' && !line.length;
		bytes++;
		last = rdtsc();
	}
	lost = terminal.lost = false;
	if (gdbs) {
		gdb_ask_again();
		return;
	}
	say("\nerr: bytes were lost: more came at once than is kept. Before a paste, press "
	    "Enter.\n");
	line_begin(&line);
}

/* A command goes on, until its end or Ctrl-C. */
static void go_on(void)
{
	bool stopped = false;
	int byte;

	while (!stopped && (byte = terminal_read(&terminal)) >= 0)
		stopped = byte == CTRL_C;
	stopped |= is_left();
	if (stopped && !row_is_json())
		say("^C\n");
	if (live(stopped) && !stopped)
		return;
	live = NULL;
	row_end(NULL);
	line_begin(&line);
}

static void expect_paste(unsigned seconds)
{
	paste_until = rdtsc() + seconds * monitor_second();
}

/* A byte has come, for whom it may be. */
static void take_byte(char byte)
{
	if (paste_until)
		expect_paste(MORE_SECONDS);
	if (gdb_input(byte, !line.length)) {
		if (gdb_attached())
			paused = false; /* gdb decides */
	} else if (line_input(&line, byte)) {
		if (!line.text[0])
			expect_paste(PASTE_SECONDS);
		answer();
		if (!live)
			line_begin(&line);
	}
}

/* What has come on the line until now, and a little longer. */
static void listen(void)
{
	u64 last = rdtsc();
	unsigned bytes = 0;

	while (bytes < MAX_LINGERS) {
		int byte = terminal_read(&terminal);

		if (lost || terminal.lost) {
			drop_paste();
			last = rdtsc();
			if (!gdb_expects())
				return;
			continue;
		}
		if (byte < 0) {
			if (!bytes && !gdb_expects())
				return;
			if (!quiet_since(last))
				continue;
			if (!gdb_silence())
				return;
		} else {
			bytes++;
			take_byte((char)byte);
			if (live)
				return;
		}
		last = rdtsc();
	}
}

/* Beat fast while a paste may come, and while what the guest has printed meanwhile is sent. */
static void choose_pace(void)
{
	bool wanted;

	if (paste_until && rdtsc() > paste_until)
		paste_until = 0;
	wanted = paste_until || (shared && share_drains());
	if (wanted != fast)
		virt->start_heartbeat(self, wanted ? beat_ticks / FASTER : beat_ticks, beat);
	fast = wanted;
}

/* Print what has come since the last beat, above the line that is being typed. */
static void print_news(void)
{
	terminal_begin(&terminal);
	say("\n");
	watch_print_news();
	terminal_end(&terminal);
	line_redraw(&line);
}

/* The monitor has the terminal from now on. */
static void take_terminal(void)
{
	static bool greeted;

	has_terminal = true;
	if (shared)
		show_text("[the monitor; Ctrl-T: back]\n");
	if (greeted) {
		line_redraw(&line);
	} else {
		say("\nThe monitor of Glasshouse listens: help lists the commands.\n");
		line_begin(&line);
	}
	greeted = true;
	if (shared)
		expect_paste(PASTE_SECONDS);
}

/* If it is wanted back, and what was typed before that is done, the terminal is the guest's. */
static void leave_terminal(void)
{
	if (!is_left() || live)
		return;
	show_text("\n[the guest]\n");
	has_terminal = false;
	paste_until = 0;
	share_release();
}

/* Whoever sits at the serial line. */
static void attend(void)
{
	if (shared && !share_beat()) {
		choose_pace();
		return;
	}
	console_divert(self->cpu, row_text);
	if (!has_terminal)
		take_terminal();
	if (live) {
		go_on();
	} else {
		listen();
		gdb_poll();
		if (!gdb_attached() && watch_has_news())
			print_news();
	}
	if (shared)
		share_raw(gdb_attached() || gdb_expects());
	leave_terminal();
	choose_pace();
	console_divert(NULL, NULL);
}

/* The scripts have ended, and nobody is at a serial line: there is nothing to do at a beat. */
static void end_beats(void)
{
	if (paused) {
		pr_warn("The scripts have ended with pause, and there is no monitor to resume: the "
			"vCPUs run on.\n");
		monitor_pause(false);
	}
	virt->start_heartbeat(self, 0, NULL);
	beats = false;
}

/*
 * At each heartbeat, for gdb, and before the guest's first instruction. A beat is not over while a
 * command lets the vCPU run: nothing begins then. A command that goes on is a person's: a script
 * waits for its end.
 */
static void beat(struct vcpu *vcpu)
{
	if (in_beat)
		return;
	in_beat = true;
	do {
		if (script_pending() && !live) {
			script_continue();
			row_begin(false, show);
		}
		if (uart)
			attend();
	} while ((paused || gdb_keeps(vcpu)) && !reset && (uart || script_pending()));
	if (reset)
		vm_reset(vcpu);
	else if (!uart && !script_pending())
		end_beats();
	in_beat = false;
}

bool monitor_beats(void)
{
	return in_beat;
}

bool monitor_lets_run(const struct vcpu *vcpu)
{
	return vcpu->mp_state == MP_STATE_RUNNABLE && in_beat && !monitor_is_paused() &&
	       !script_keeps(vcpu) && !(READ_ONCE(vcpu->requests) & REQ_PAUSE);
}

void monitor_attach(struct vm *vm)
{
	u64 before = rdtsc();

	if (self)
		return;
	pit_delay_us(1000000 / MONITOR_HZ);
	beat_ticks = rdtsc() - before;
	self = vm->vcpus[0];
}

bool monitor_start_beat(void)
{
	if (!beats)
		beats = !virt->start_heartbeat(self, beat_ticks, beat);
	return beats;
}

void monitor_after_scripts(void)
{
	if (paused || reset)
		monitor_start_beat();
	if (paused && uart)
		beat(self); /* before the guest's first instruction */
}

static char gdb_line[LINE_SIZE];

static const struct gdb_host gdb_host = {.send = send_to_gdb,
					 .command = run_for_gdb,
					 .line = gdb_line,
					 .line_size = sizeof(gdb_line),
					 .too_long = TOO_LONG,
					 .serve = beat,
					 .reset = monitor_reset};

/* Listen on the UART, which the guest sees no more. */
static bool start(const struct room_setup *setup)
{
	monitor_attach(setup->vm);
	if (!gdb_start(setup->vm, &gdb_host, beat_ticks * MONITOR_HZ)) {
		pr_warn("monitor=: the monitor is not available: out of memory. Boot with "
			"reserve=1M.\n");
		return false;
	}
	if (!monitor_start_beat()) {
		pr_warn("monitor=: the monitor is not available: it needs the VMX-preemption "
			"timer, "
			"to look at its serial line while the guest runs, and this CPU has "
			"none.\n");
		return false;
	}
	if (setup->shared && !share_start(setup->vm, monitor_second())) {
		pr_warn("monitor=com1: the monitor is not available: too many ports are watched, "
			"a defect of Glasshouse. Please report it.\n");
		return false;
	}
	uart = setup->uart;
	shared = setup->shared;
	row_begin(false, show);
	bt_symbols(setup->symbols, setup->symbols_size);
	if (!shared)
		hide_ports(setup->vm, uart, UART_PORTS);
	return true;
}

static void enter(void)
{
	if (shared)
		share_enter();
}

static void leave(void)
{
	if (shared)
		share_leave();
}

ROOM(.name = "monitor", .start = start, .enter = enter, .leave = leave);
