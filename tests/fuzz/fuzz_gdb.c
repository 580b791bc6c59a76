/* SPDX-License-Identifier: MIT */
/*
 * What comes on the line from gdb, and what the stub does with it, on a machine of three vCPUs, one
 * of which waits for its SIPI, with two pages of guest memory. The first byte of the input decides:
 * after a p each line is a packet's data, or in one byte something that happens meanwhile;
 * otherwise the bytes come as they are.
 */
#include "tests/fuzz/fuzz.h"

#include "arch/x86/cpu.h"
#include "monitor/gdb/breakpoints.h"
#include "monitor/gdb/gdb.h"
#include "monitor/gdb/own.h"
#include "monitor/gdb/packet.h"
#include "monitor/gdb/registers.h"
#include "monitor/gdb/threads.h"
#include "vmm/debug_registers.h"
#include "vmm/exception.h"
#include "vmm/step.h"
#include "vmm/vcpu.h"
#include "vmm/view.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/x86/guest_mem.h"

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define VCPUS     3u
#define GUEST     0x1000u /* two pages of guest memory, at this linear address */
#define GUEST_END 0x3000u
#define PHYSICAL  0x100000u
#define OWN       0xffffffff80000000ull /* Glasshouse's own memory */
#define OWN_SIZE  100u
#define LINE      64u /* bytes of a command of the monitor, with the NUL */

static u8 guest[GUEST_END - GUEST];
static u8 patched[GUEST_END - GUEST];
static bool paused[VCPUS];
static struct vcpu vcpus[VCPUS];
static struct vm vm;
static struct registers set; /* what registers_write() was told */
static bool deaf;            /* the second vCPU's CPU does not answer */

struct virt_ops virt_ops;

/* ---- The machine ---- */

/* Does all lie on one page of the guest? */
static u8 *at(gva_t gva, size_t n)
{
	CHECK(n && n <= PAGE_SIZE);
	CHECK((gva & ~PAGE_MASK) + n <= PAGE_SIZE);
	return gva >= GUEST && gva < GUEST_END ? &guest[gva - GUEST] : NULL;
}

int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t n)
{
	CHECK(vcpu->mp_state == MP_STATE_RUNNABLE);
	if (!at(gva, n))
		return -1;
	memcpy(buf, at(gva, n), n);
	return 0;
}

int write_guest_virt(struct vcpu *vcpu, gva_t gva, const void *buf, size_t n)
{
	CHECK(vcpu->mp_state == MP_STATE_RUNNABLE);
	if (!at(gva, n))
		return -1;
	memcpy(at(gva, n), buf, n);
	return 0;
}

int guest_physical(struct vcpu *vcpu, gva_t gva, gpa_t *gpa)
{
	(void)vcpu;
	if (gva < GUEST || gva >= GUEST_END)
		return -1;
	*gpa = gva - GUEST + PHYSICAL;
	return 0;
}

void guest_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg)
{
	(void)vcpu, (void)reg;
	memset(seg, 0, sizeof(*seg));
}

int view_patch(struct vm *of, gpa_t gpa, u8 byte)
{
	CHECK(of == &vm && gpa - PHYSICAL < sizeof(patched) && byte == 0xcc);
	CHECK(!patched[gpa - PHYSICAL]);
	patched[gpa - PHYSICAL] = 1;
	return 0;
}

int view_unpatch(struct vm *of, gpa_t gpa)
{
	CHECK(of == &vm && gpa - PHYSICAL < sizeof(patched));
	CHECK(patched[gpa - PHYSICAL]);
	patched[gpa - PHYSICAL] = 0;
	return 0;
}

void view_skip_patch(struct vcpu *vcpu, gpa_t gpa)
{
	(void)vcpu, (void)gpa;
}

void set_exception_owner(enum exception_user user,
			 enum exception_verdict (*owner)(struct vcpu *vcpu,
							 const struct exception *exception))
{
	(void)user, (void)owner;
}

void intercept_exceptions(struct vcpu *vcpu, enum exception_user user, u32 vectors)
{
	(void)user;
	vcpu->exceptions[0] = vectors;
}

void reflect_exception(struct vcpu *vcpu, const struct exception *exception)
{
	(void)vcpu, (void)exception;
}

void debug_load(struct vcpu *vcpu, const struct debug_point points[DEBUG_REGISTERS])
{
	(void)vcpu;
	for (unsigned i = 0; i < DEBUG_REGISTERS; i++) {
		CHECK(!points[i].used || points[i].length - 1u < 8);
		CHECK(!points[i].used || !(points[i].address & (points[i].length - 1u)));
	}
}

u64 debug_guest_reasons(const struct debug_state *state,
			const struct debug_point points[DEBUG_REGISTERS], u64 reasons,
			const struct debug_point **hit)
{
	(void)state, (void)points;
	*hit = NULL;
	return reasons;
}

static u64 get_sysreg(struct vcpu *vcpu, enum sysreg reg)
{
	(void)vcpu;
	return reg;
}

static void delay_interrupts(struct vcpu *vcpu)
{
	(void)vcpu;
}

void *pages_alloc(size_t nr)
{
	static u8 page[PAGE_SIZE];

	CHECK(nr == 1);
	return page;
}

int vcpu_call(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu), u64 ticks)
{
	(void)ticks;
	if (deaf && vcpu == &vcpus[1])
		return -1;
	function(vcpu);
	return 0;
}

void vcpu_post_call(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu))
{
	(void)vcpu, (void)function;
}

void vcpu_pause(struct vcpu *vcpu)
{
	CHECK(vcpu->id);
	paused[vcpu->id] = true;
}

void vcpu_resume(struct vcpu *vcpu)
{
	CHECK(vcpu->id);
	paused[vcpu->id] = false;
}

void vcpu_step(struct vcpu *vcpu, enum step_user user, void (*stepped)(struct vcpu *vcpu))
{
	vcpu->stepped[user] = stepped;
}

void vcpu_cancel_step(struct vcpu *vcpu, enum step_user user)
{
	vcpu->stepped[user] = NULL;
}

void registers_read(struct vcpu *vcpu, struct registers *registers)
{
	CHECK(vcpu->mp_state == MP_STATE_RUNNABLE);
	*registers = set;
	registers->own = false;
}

bool registers_write(struct vcpu *vcpu, enum gdb_register n, u64 value)
{
	CHECK(vcpu->mp_state == MP_STATE_RUNNABLE && n < GDB_NR_REGISTERS);
	set.value[n] = value;
	return n % 2;
}

bool own_init(const struct vm *of)
{
	return of == &vm;
}

void own_registers(const struct vcpu *vcpu, struct registers *registers)
{
	CHECK(vcpu->mp_state == MP_STATE_RUNNABLE);
	*registers = set;
	registers->own = true;
}

size_t own_read(u64 address, void *bytes, size_t n)
{
	if (address - OWN >= OWN_SIZE)
		return 0;
	n = MIN(n, OWN_SIZE - (address - OWN));
	memset(bytes, 0x5a, n);
	return n;
}

/* ---- The monitor ---- */

static char line[LINE];
static unsigned resets;

/* All that goes to gdb is an acknowledgement or a whole packet. */
static void send(const char *s, size_t n)
{
	u8 sum = 0;
	char end[4];

	if (n <= 1) {
		CHECK(!n || *s == '+' || *s == '-');
		return;
	}
	CHECK(n >= 4 && n <= PACKET_SIZE + 4 && s[0] == '$' && s[n - 3] == '#' && strlen(s) == n);
	for (size_t i = 1; i < n - 3; i++) {
		CHECK(s[i] != '$' && s[i] != '#');
		sum += (u8)s[i];
	}
	sprintf(end, "%02x", sum);
	CHECK(!memcmp(end, s + n - 2, 2));
}

static const char *command(char *text)
{
	static char much[PACKET_SIZE];

	CHECK(strlen(text) < LINE);
	memset(much, '#', sizeof(much));
	gdb_print(much, text[0] % 2 ? sizeof(much) : 10);
	return text[0] == 'e' ? "an error" : NULL;
}

static void serve(struct vcpu *vcpu)
{
	(void)vcpu;
}

static void reset(void)
{
	resets++;
}

static const struct gdb_host host = {
	.send = send,
	.command = command,
	.line = line,
	.line_size = sizeof(line),
	.too_long = "too long",
	.serve = serve,
	.reset = reset,
};

static void start(void)
{
	virt_ops.get_sysreg = get_sysreg;
	virt_ops.delay_interrupts = delay_interrupts;
	vm.nr_vcpus = VCPUS;
	for (unsigned i = 0; i < VCPUS; i++) {
		vcpus[i].id = i;
		vcpus[i].mp_state = i < 2 ? MP_STATE_RUNNABLE : MP_STATE_INIT_RECEIVED;
		vm.vcpus[i] = &vcpus[i];
	}
	CHECK(gdb_start(&vm, &host, 1));
}

/* ---- What comes ---- */

static void receive(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		gdb_input(s[i], true);
}

static void receive_packet(const char *data, size_t n)
{
	u8 sum = 0;
	char end[4];

	receive("$", 1);
	for (size_t i = 0; i < n; i++) {
		bool escape = data[i] == '$' || data[i] == '#';
		char bytes[2] = {'}', (char)(data[i] ^ 0x20)};

		receive(escape ? bytes : &data[i], escape ? 2 : 1);
		sum += escape ? (u8)(bytes[0] + bytes[1]) : (u8)data[i];
	}
	sprintf(end, "#%02x", sum);
	receive(end, 3);
}

/* A byte that is no packet is something that happens. */
static void happen(char byte)
{
	struct vcpu *vcpu = &vcpus[byte & 1];

	switch (byte) {
	case 1 ... 2: /* a vCPU has executed an instruction */
		if (!gdb_keeps(vcpu) && vcpu->stepped[STEP_GDB])
			vcpu->stepped[STEP_GDB](vcpu);
		break;
	case 3:
		receive("\3", 1);
		break;
	case 4 ... 5:
		if (!gdb_keeps(vcpu))
			thread_stops(vcpu, STOP_WRITE, GUEST);
		break;
	case 6 ... 7:
		if (!gdb_keeps(vcpu))
			thread_stops(vcpu, STOP_SOFTWARE, GUEST + 4);
		break;
	case 8:
		deaf = !deaf;
		break;
	case 11:
		gdb_silence();
		break;
	case 12:
		gdb_ask_again();
		break;
	case 14: /* the third vCPU gets its SIPI, or an INIT */
		vcpus[2].mp_state ^= MP_STATE_RUNNABLE ^ MP_STATE_INIT_RECEIVED;
		break;
	default:
		receive(&byte, 1);
	}
	gdb_poll();
}

static void receive_lines(const char *data, size_t size)
{
	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		if (n == 1 && (u8)*data < ' ')
			happen(*data);
		else
			receive_packet(data, n);
		data += n + (end != NULL);
		size -= n + (end != NULL);
	}
}

/* gdb detaches: nothing of its is left. */
static void finish(void)
{
	deaf = false;
	receive_packet("D", 1);
	CHECK(!gdb_attached() && !gdb_expects());
	for (unsigned i = 0; i < sizeof(patched); i++)
		CHECK(!patched[i]);
	for (unsigned i = 0; i < VCPUS; i++)
		CHECK(!paused[i] && !vcpus[i].exceptions[0] && !gdb_keeps(&vcpus[i]));
}

/* ---- Packets alone ---- */

static void look_into(const struct packet *packet)
{
	static u8 bytes[PACKET_SIZE];
	const char *text = packet->data;
	u8 resumes[VCPUS];
	struct reply reply;
	s64 thread;
	u64 value;

	CHECK(packet->length <= PACKET_SIZE && !packet->data[packet->length]);
	take_bytes(&text, bytes, packet->length / 2);
	text = packet->data;
	take_resumes(&text, resumes, VCPUS);
	for (text = packet->data; *text; text++) {
		if (take_number(&text, &value) && !*text)
			break;
		if (take_thread(&text, &thread) && !*text)
			break;
	}
	reply_begin(&reply);
	reply_text(&reply, packet->data);
	reply_bytes(&reply, packet->data, packet->length);
	reply_number(&reply, packet->length);
	reply_end(&reply);
	CHECK(strlen(reply.data) == reply.length && reply.length < sizeof(reply.data));
}

static void look_into_packets(const char *data, size_t size)
{
	static struct packet packet;

	memset(&packet, 0, sizeof(packet));
	for (size_t i = 0; i < size; i++)
		if (packet_input(&packet, data[i]) == PACKET_COMPLETE)
			look_into(&packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (!vm.nr_vcpus)
		start();
	if (size && *text == 'p') {
		receive_lines(text + 1, size - 1);
	} else {
		look_into_packets(text, size);
		receive(text, size);
	}
	finish();
	return 0;
}
