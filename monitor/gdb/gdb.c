/* SPDX-License-Identifier: MIT */
/*
 * The stub for gdb: what each packet does. See gdb.h. Source: GDB's manual, appendix "GDB Remote
 * Serial Protocol".
 */
#include "monitor/gdb/gdb.h"
#include "bits.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/gdb/breakpoints.h"
#include "monitor/gdb/own.h"
#include "monitor/gdb/packet.h"
#include "monitor/gdb/registers.h"
#include "monitor/gdb/threads.h"
#include "vmm/vm.h"
#include "vmm/x86/guest_mem.h"

#define CTRL_C '\x03'

#define SIGINT  2
#define SIGTRAP 5

/* Bytes of memory in one packet, at most: two digits each. */
#define MEMORY_BYTES (PACKET_SIZE / 2)
#define ENTERS       2 /* in a row: gdb has gone */

static const struct gdb_host *host;
static struct packet packet;
static struct reply reply;
static bool attached;
static bool asked_again;        /* by gdb_silence() */
static bool interrupted;        /* Ctrl-C has come while they were: stop again when they next run */
static bool stopped;            /* all threads are */
static unsigned current;        /* the thread that gdb's packets are about */
static unsigned reported;       /* the thread that has stopped last */
static struct stop report_stop; /* and why */

static void send_reply(void)
{
	reply_end(&reply);
	host->send(reply.data, reply.length);
}

static void answer(const char *text)
{
	reply_begin(&reply);
	reply_text(&reply, text);
	send_reply();
}

static void answer_ok(bool ok)
{
	answer(ok ? "OK" : "E01");
}

/* ---- Stops ---- */

static struct registers registers; /* for the next two, on the vCPU's CPU */
static enum gdb_register written;
static bool write_ok;

static unsigned read_thread; /* for read_on() */

static void read_on(struct vcpu *vcpu)
{
	if (thread_is_own(read_thread))
		own_registers(vcpu, &registers);
	else
		registers_read(vcpu, &registers);
}

static bool read_all(unsigned thread)
{
	read_thread = thread;
	return thread_call(thread, read_on);
}

static void write_on(struct vcpu *vcpu)
{
	write_ok = registers_write(vcpu, written, registers.value[written]);
}

/* What else gdb wants to know of a stop: how it is called, and whether the address is told. */
static void reply_kind(void)
{
	static const struct {
		const char *name;
		bool address;
	} kinds[] = {
		[STOP_SOFTWARE] = {"swbreak:", false}, [STOP_HARDWARE] = {"hwbreak:", false},
		[STOP_WRITE] = {"watch:", true},       [STOP_READ] = {"rwatch:", true},
		[STOP_ACCESS] = {"awatch:", true},
	};

	if (report_stop.kind < STOP_SOFTWARE)
		return;
	reply_text(&reply, kinds[report_stop.kind].name);
	if (kinds[report_stop.kind].address)
		reply_number(&reply, report_stop.address);
	reply_text(&reply, ";");
}

/* "T05swbreak:;thread:2;10:...;": the reason, the thread, and the registers that gdb asks for
 * first. */
static void report(void)
{
	static const u8 first[] = {GDB_rip, GDB_rsp, GDB_rbp};
	u8 signal = report_stop.kind == STOP_INTERRUPT ? SIGINT : SIGTRAP;
	bool known = read_all(reported);

	reply_begin(&reply);
	reply_text(&reply, "T");
	reply_bytes(&reply, &signal, 1);
	reply_kind();
	reply_text(&reply, "thread:");
	reply_number(&reply, reported);
	reply_text(&reply, ";");
	for (unsigned i = 0; known && i < ARRAY_SIZE(first); i++) {
		reply_number(&reply, first[i]);
		reply_text(&reply, ":");
		reply_register(&reply, &registers, (enum gdb_register)first[i]);
		reply_text(&reply, ";");
	}
	send_reply();
}

static void stop_all(unsigned thread, const struct stop *why)
{
	threads_stop();
	stopped = true;
	current = reported = thread;
	report_stop = *why;
}

static void attach(void)
{
	if (!attached)
		interrupted = false;
	attached = true;
	if (!stopped)
		stop_all(1, &(struct stop){.kind = STOP_NONE});
}

/* ---- Memory ---- */

static struct {
	u64 address;
	size_t length; /* asked for, then done */
	u8 bytes[MEMORY_BYTES];
} memory;

/* Call @copy for what lies on each page, until one fails, so that a part of what gdb wants is
 * found. */
static void each_page(struct vcpu *vcpu,
		      int (*copy)(struct vcpu *vcpu, gva_t gva, void *bytes, size_t n))
{
	size_t done = 0;

	while (done < memory.length) {
		u64 at = memory.address + done;
		size_t n = MIN(memory.length - done, PAGE_SIZE - (at & ~PAGE_MASK));

		if (copy(vcpu, at, memory.bytes + done, n))
			break;
		done += n;
	}
	memory.length = done;
}

static int copy_out(struct vcpu *vcpu, gva_t gva, void *bytes, size_t n)
{
	return read_guest_virt(vcpu, gva, bytes, n);
}

static int copy_in(struct vcpu *vcpu, gva_t gva, void *bytes, size_t n)
{
	return write_guest_virt(vcpu, gva, bytes, n);
}

static void read_memory_on(struct vcpu *vcpu)
{
	each_page(vcpu, copy_out);
}

static void write_memory_on(struct vcpu *vcpu)
{
	each_page(vcpu, copy_in);
}

/* "ADDRESS,LENGTH". */
static bool take_range(const char **at)
{
	u64 length;

	if (!take_number(at, &memory.address) || !take_char(at, ',') || !take_number(at, &length))
		return false;
	memory.length = MIN(length, MEMORY_BYTES);
	return memory.length == length;
}

/* What the guest does not map may be Glasshouse's own. */
static void read_memory(const char *at)
{
	size_t length;

	if (!take_range(&at)) {
		answer("E01");
		return;
	}
	length = memory.length;
	if (thread_is_own(current) || !thread_call(current, read_memory_on) || !memory.length)
		memory.length = own_read(memory.address, memory.bytes, length);
	if (!memory.length) {
		answer("E01");
		return;
	}
	reply_begin(&reply);
	reply_bytes(&reply, memory.bytes, memory.length);
	send_reply();
}

/* M has hexadecimal digits, X the bytes themselves. */
static void write_memory(const char *at, bool binary)
{
	bool ok = take_range(&at) && take_char(&at, ':') && !thread_is_own(current);
	size_t length = memory.length;

	if (ok && binary)
		ok = (size_t)(packet.data + packet.length - at) == length;
	if (ok && binary)
		memcpy(memory.bytes, at, length);
	else if (ok)
		ok = take_bytes(&at, memory.bytes, length);
	answer_ok(ok &&
		  (!length || (thread_call(current, write_memory_on) && memory.length == length)));
}

/* ---- Registers ---- */

static void read_registers(void)
{
	if (!read_all(current)) {
		answer("E01");
		return;
	}
	reply_begin(&reply);
	reply_registers(&reply, &registers);
	send_reply();
}

static void read_register(const char *at)
{
	u64 n;

	if (!take_number(&at, &n) || n >= GDB_NR_REGISTERS || !read_all(current)) {
		answer("E01");
		return;
	}
	reply_begin(&reply);
	reply_register(&reply, &registers, (enum gdb_register)n);
	send_reply();
}

/* "N=VALUE". */
static void write_register(const char *at)
{
	u64 n, value;

	if (thread_is_own(current) || !take_number(&at, &n) || n >= GDB_NR_REGISTERS ||
	    !take_char(&at, '=') || !take_register(&at, (enum gdb_register)n, &value)) {
		answer("E01");
		return;
	}
	written = (enum gdb_register)n;
	registers.value[n] = value;
	answer_ok(thread_call(current, write_on) && write_ok);
}

/* ---- Threads ---- */

static void list_threads(void)
{
	reply_begin(&reply);
	for (unsigned n = thread_after(0); n; n = thread_after(n)) {
		reply_text(&reply, n == thread_after(0) ? "m" : ",");
		reply_number(&reply, n);
	}
	send_reply();
}

static void describe_thread(const char *at)
{
	char text[24];
	s64 n;

	if (!take_thread(&at, &n) || !thread_vcpu(n)) {
		answer("E01");
		return;
	}
	snprintf(text, sizeof(text), "%svCPU %u", thread_is_own((unsigned)n) ? "Glasshouse, " : "",
		 ((unsigned)n - 1) % threads_limit());
	reply_begin(&reply);
	reply_bytes(&reply, text, strlen(text));
	send_reply();
}

/* "gTHREAD" or "cTHREAD"; 0 and -1 change nothing. */
static void select_thread(const char *at)
{
	char purpose = *at++;
	s64 n;

	if (!take_thread(&at, &n) || (n > 0 && !thread_vcpu(n))) {
		answer("E01");
		return;
	}
	if (purpose == 'g' && n > 0)
		current = (unsigned)n;
	answer("OK");
}

static void is_alive(const char *at)
{
	s64 n;

	answer_ok(take_thread(&at, &n) && thread_vcpu(n));
}

/* ---- Running ---- */

static struct {
	gva_t gva;
	gpa_t gpa;
	bool mapped;
} place; /* for translate_on(), on the vCPU's CPU */

static void translate_on(struct vcpu *vcpu)
{
	place.mapped = !guest_physical(vcpu, place.gva, &place.gpa);
}

/* "TYPE,ADDRESS,LENGTH". What gdb adds, such as conditions, it does itself. */
static void change_breakpoint(const char *at, bool insert)
{
	u64 number, address, length;
	enum breakpoint_type type;

	if (!take_number(&at, &number) || number >= NR_BREAKPOINT_TYPES) {
		answer("");
		return;
	}
	type = (enum breakpoint_type)number;
	if (!take_char(&at, ',') || !take_number(&at, &address) || !take_char(&at, ',') ||
	    !take_number(&at, &length)) {
		answer("E01");
		return;
	}
	if (!insert) {
		answer_ok(breakpoint_remove(type, address, length));
		return;
	}
	place.gva = address;
	place.mapped = false;
	thread_call(current, translate_on);
	answer_ok(breakpoint_insert(type, address, length, place.mapped ? &place.gpa : NULL));
}

/* There is no answer before the next stop. */
static void resume(const char *at)
{
	static u8 resumes[VM_MAX_VCPUS];

	if (!take_resumes(&at, resumes, threads_limit())) {
		answer("E01");
		return;
	}
	stopped = false;
	threads_resume(resumes);
}

static void let_go(void)
{
	attached = stopped = interrupted = false;
	threads_release();
}

static void detach(void)
{
	answer("OK");
	let_go();
}

/* ---- Queries ---- */

/* "read:target.xml:OFFSET,LENGTH". */
static void read_description(const char *at)
{
	static const char annex[] = "target.xml:";
	size_t size = strlen(registers_xml);
	char part[PACKET_SIZE / 4];
	u64 offset, length;

	if (strncmp(at, annex, sizeof(annex) - 1) != 0) {
		answer("E00");
		return;
	}
	at += sizeof(annex) - 1;
	if (!take_number(&at, &offset) || !take_char(&at, ',') || !take_number(&at, &length) ||
	    offset > size) {
		answer("E00");
		return;
	}
	length = MIN(length, sizeof(part) - 1);
	strlcpy(part, registers_xml + offset, (size_t)length + 1);
	reply_begin(&reply);
	reply_text(&reply, offset + length < size ? "m" : "l");
	reply_text(&reply, part);
	send_reply();
}

static bool runs_command; /* gdb_print() has somebody to print for */

void gdb_print(const char *s, size_t n)
{
	if (!runs_command)
		return;
	reply_begin(&reply);
	reply_text(&reply, "O");
	reply_bytes(&reply, s, n);
	send_reply();
}

/* `monitor COMMAND`: a command of the monitor, in hexadecimal. */
static void run_command(const char *at)
{
	static const char error[] = "err: ";
	size_t n = strlen(at) / 2;
	const char *why;

	runs_command = true;
	if (n >= host->line_size) {
		why = host->too_long;
	} else if (!take_bytes(&at, host->line, n)) {
		why = "gdb has sent no text";
	} else {
		host->line[n] = '\0';
		why = host->command(host->line);
	}
	if (why) {
		gdb_print(error, sizeof(error) - 1);
		gdb_print(why, strlen(why));
		gdb_print("\n", 1);
	}
	runs_command = false;
	answer("OK");
}

/* The first packet of a gdb. The one before may have gone without removing its breakpoints. */
static void supported(const char *at)
{
	(void)at;
	breakpoints_remove_all();
	reply_begin(&reply);
	reply_text(&reply, "PacketSize=");
	reply_number(&reply, PACKET_SIZE);
	reply_text(&reply, ";qXfer:features:read+;vContSupported+;swbreak+;hwbreak+");
	send_reply();
}

static void first_threads(const char *at)
{
	(void)at;
	list_threads();
}

static void more_threads(const char *at)
{
	(void)at;
	answer("l");
}

static void current_thread(const char *at)
{
	(void)at;
	reply_begin(&reply);
	reply_text(&reply, "QC");
	reply_number(&reply, current);
	send_reply();
}

/* The guest was there before gdb: gdb detaches when it ends. */
static void was_attached(const char *at)
{
	(void)at;
	answer("1");
}

static void resume_actions(const char *at)
{
	(void)at;
	answer("vCont;c;C;s;S");
}

static void kill_guest(const char *at)
{
	(void)at;
	answer("OK");
	host->reset();
}

/* Packets with a longer name. */
static const struct {
	const char *name;
	void (*handle)(const char *at); /* @at: what follows the name */
} named[] = {
	{"qSupported", supported},
	{"qXfer:features:read:", read_description},
	{"qfThreadInfo", first_threads},
	{"qsThreadInfo", more_threads},
	{"qThreadExtraInfo,", describe_thread},
	{"qC", current_thread},
	{"qAttached", was_attached},
	{"qRcmd,", run_command},
	{"vCont?", resume_actions},
	{"vCont", resume},
	{"vKill", kill_guest},
};

/* An empty answer means that the packet is not supported. */
static void handle_named(const char *at)
{
	for (unsigned i = 0; i < ARRAY_SIZE(named); i++) {
		const char *rest = packet_after(at, named[i].name);

		if (rest) {
			named[i].handle(rest);
			return;
		}
	}
	answer("");
}

static void handle(void)
{
	const char *at = packet.data + 1;

	switch (packet.data[0]) {
	case '?':
		report();
		break;
	case 'g':
		read_registers();
		break;
	case 'p':
		read_register(at);
		break;
	case 'P':
		write_register(at);
		break;
	case 'm':
		read_memory(at);
		break;
	case 'M':
		write_memory(at, false);
		break;
	case 'X':
		write_memory(at, true);
		break;
	case 'Z':
		change_breakpoint(at, true);
		break;
	case 'z':
		change_breakpoint(at, false);
		break;
	case 'H':
		select_thread(at);
		break;
	case 'T':
		is_alive(at);
		break;
	case 'D':
		detach();
		break;
	case 'k':
		host->reset();
		break;
	default:
		handle_named(packet.data);
	}
}

/* ---- The line ---- */

bool gdb_start(struct vm *vm, const struct gdb_host *of, u64 ticks)
{
	host = of;
	return own_init(vm) && threads_init(vm, of->serve, ticks);
}

/* Has gdb gone? It is attached. */
static bool is_abandoned(char byte)
{
	static unsigned enters;
	bool enter = !packet_begun(&packet) && (byte == '\r' || byte == '\n');

	enters = enter ? enters + 1 : 0;
	if (enters < ENTERS)
		return false;
	enters = 0;
	return true;
}

bool gdb_input(char byte, bool free)
{
	bool gdbs = attached || packet_begun(&packet) || (free && (byte == '$' || byte == '+'));

	if (attached && is_abandoned(byte)) {
		let_go();
		return false;
	}
	/* A person has typed a $: the line is the person's again. */
	if (!attached && (byte == '\r' || byte == '\n' || byte == CTRL_C)) {
		packet.state = 0;
		gdbs = false;
	}
	if (!gdbs)
		return false;
	switch (packet_input(&packet, byte)) {
	case PACKET_COMPLETE:
		host->send("+", 1);
		asked_again = false;
		attach();
		handle();
		break;
	case PACKET_BAD:
		gdb_ask_again();
		break;
	case PACKET_NAK:
		host->send(reply.data, reply.length);
		break;
	case PACKET_INTERRUPT:
		interrupted = attached;
		break;
	case PACKET_NOTHING:
	case PACKET_ACK:
		break;
	}
	return true;
}

bool gdb_expects(void)
{
	return packet_begun(&packet) || asked_again;
}

void gdb_ask_again(void)
{
	packet.state = 0;
	asked_again = true;
	host->send("-", 1);
}

/* While the guest runs, a UART keeps only the first bytes of a packet. Then gdb, which waits for an
 * answer, sends it again, and this time somebody listens. */
bool gdb_silence(void)
{
	if (!packet_begun(&packet) || asked_again) {
		packet.state = 0;
		asked_again = false;
		return false;
	}
	gdb_ask_again();
	return true;
}

void gdb_poll(void)
{
	struct stop why = {.kind = STOP_INTERRUPT};
	unsigned thread = 1;

	if (!attached || stopped)
		return;
	if (!interrupted)
		thread = threads_take_stop(&why);
	if (!thread)
		return;
	interrupted = false;
	stop_all(thread, &why);
	report();
}

bool gdb_attached(void)
{
	return attached;
}

bool gdb_keeps(const struct vcpu *vcpu)
{
	return attached && thread_is_kept(vcpu);
}
