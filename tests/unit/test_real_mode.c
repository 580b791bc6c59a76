// SPDX-License-Identifier: MIT
/*
 * shadow/real_mode.c: instructions of real mode that are emulated where the CPU runs it as
 * virtual-8086 mode, and the delivery of interrupts. The guest's memory is an array, its registers
 * are variables; decoder, segment checks and port I/O are the real ones.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/guest_registers.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "vmm/event.h"
#include "vmm/real_mode.h"
#include "vmm/registers.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/x86/emulate.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/io.h"
#include "vmm/x86/msr.h"
#include "vmm/x86/unknown.h"

#define CODE  0x1000u /* CS, and where it begins: 10000h */
#define STACK 0x3000u
#define DATA  0x2000u
#define BIG   MIB(2) /* an offset beyond 64 KiB */

struct virt_ops virt_ops;

static u8 memory[MIB(4)];
static struct vcpu vcpu;
static u64 crs[5], msr_written;
static u32 port_value;
static struct pio_access last_io;
static unsigned halts, unblocks, delays;

/* ---- The guest ---- */

static void skip_to(struct vcpu *v, u64 rip)
{
	(void)v;
	sysregs[SYSREG_RIP] = rip;
	sysregs[SYSREG_RFLAGS] &= ~RFLAGS_RF;
}

static void delay_interrupts(struct vcpu *v)
{
	(void)v;
	delays++;
}

int read_guest_virt(struct vcpu *v, gva_t gva, void *buf, size_t len)
{
	(void)v;
	if (gva + len > sizeof(memory))
		return -EFAULT;
	memcpy(buf, memory + gva, len);
	return 0;
}

int write_guest_virt(struct vcpu *v, gva_t gva, const void *buf, size_t len)
{
	(void)v;
	if (gva + len > sizeof(memory))
		return -EFAULT;
	memcpy(memory + gva, buf, len);
	return 0;
}

int probe_guest_virt(struct vcpu *v, gva_t gva, size_t len, u32 access)
{
	(void)v;
	(void)gva;
	(void)len;
	(void)access;
	return 0;
}

int guest_physical(struct vcpu *v, gva_t gva, gpa_t *gpa)
{
	(void)v;
	*gpa = gva;
	return 0;
}

void guest_segment(struct vcpu *v, enum segment_reg reg, struct segment *seg)
{
	get_segment(v, reg, seg);
}

enum insn_mode guest_mode(struct vcpu *v)
{
	(void)v;
	return INSN_16;
}

unsigned guest_cpl(struct vcpu *v)
{
	(void)v;
	return 0;
}

bool is_canonical(struct vcpu *v, u64 address)
{
	(void)v;
	(void)address;
	return true;
}

gva_t guest_untag(struct vcpu *v, gva_t gva)
{
	(void)v;
	return gva;
}

gva_t guest_operand(struct vcpu *v, const struct insn *insn, const struct insn_mem *mem)
{
	(void)v;
	(void)insn;
	(void)mem;
	fail();
	return 0;
}

bool decode_guest_insn(struct vcpu *v, struct insn *insn)
{
	(void)v;
	return insn_decode(insn, memory + segments[SEG_CS].base + sysregs[SYSREG_RIP], 15,
			   INSN_16) > 0;
}

int handle_unknown(struct vcpu *v, const char *what)
{
	(void)v;
	(void)what;
	fail();
	return 0;
}

int emulate_xsetbv(struct vcpu *v)
{
	return v->regs[VCPU_RCX] ? -EINVAL : 0;
}

void breakpoint_access(struct vcpu *v, enum breakpoint_kind kind, u64 address, u32 len)
{
	(void)v;
	(void)kind;
	(void)address;
	(void)len;
}

u64 debug_guest_register(struct vcpu *v, unsigned n)
{
	(void)v;
	return 0x100 + n;
}

static u32 pio(struct vcpu *v, const struct pio_access *io, u32 value)
{
	(void)v;
	last_io = *io;
	if (!io->in)
		port_value = value;
	return 0x55667788;
}

static const struct vm_ops vm_ops = {.pio = pio};
static struct vm vm = {.ops = &vm_ops};

/* ---- What only the vendor's code can do ---- */

static int write_cr(struct vcpu *v, unsigned cr, u64 value)
{
	(void)v;
	if (value == 0xbad)
		return -EINVAL;
	crs[cr] = value;
	return 0;
}

static int read_msr(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v;
	*value = 0x1122334455667788;
	return msr == 0xbad ? -EINVAL : 0;
}

static int write_msr(struct vcpu *v, u32 msr, u64 value)
{
	(void)v;
	msr_written = value;
	return msr == 0xbad ? -EINVAL : 0;
}

static void halt(struct vcpu *v)
{
	(void)v;
	halts++;
}

static void unblock_nmis(struct vcpu *v)
{
	(void)v;
	unblocks++;
}

static const struct real_mode_ops ops = {write_cr, read_msr, write_msr, halt, unblock_nmis};

static int setup(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(crs, 0, sizeof(crs));
	vcpu.vm = &vm;
	halts = unblocks = delays = 0;
	virt_ops = (struct virt_ops){.get_sysreg = get_sysreg,
				     .set_sysreg = set_sysreg,
				     .get_segment = get_segment,
				     .set_segment = set_segment,
				     .skip_to = skip_to,
				     .delay_interrupts = delay_interrupts};
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		segments[i] = (struct segment){
			.selector = DATA, .base = DATA << 4, .limit = 0xffff, .ar = 0x93};
	segments[SEG_CS].selector = CODE;
	segments[SEG_CS].base = CODE << 4;
	segments[SEG_SS].selector = STACK;
	segments[SEG_SS].base = STACK << 4;
	segments[SEG_IDTR] = (struct segment){.limit = 0x3ff};
	memset(sysregs, 0, sizeof(sysregs));
	sysregs[SYSREG_RFLAGS] = RFLAGS_FIXED;
	sysregs[SYSREG_RSP] = 0xabcd1000;
	sysregs[SYSREG_CR0] = 0x10;
	return 0;
}

/* Execute the instruction of @n bytes. */
static enum real_mode_result execute(const char *bytes, size_t n)
{
	memcpy(memory + (CODE << 4), bytes, n);
	sysregs[SYSREG_RIP] = 0;
	vcpu.event.valid = false;
	return emulate_real_mode(&vcpu, &ops);
}

#define EXECUTE(bytes) execute(bytes, sizeof(bytes) - 1)

/* It is emulated, and the next instruction follows. */
#define RUNS(bytes)                                                       \
	do {                                                              \
		assert_int_equal(EXECUTE(bytes), REAL_MODE_DONE);         \
		assert_false(vcpu.event.valid);                           \
		assert_int_equal(sysregs[SYSREG_RIP], sizeof(bytes) - 1); \
	} while (0)

#define QUEUES(bytes, number)                                     \
	do {                                                      \
		assert_int_equal(EXECUTE(bytes), REAL_MODE_DONE); \
		assert_true(vcpu.event.valid);                    \
		assert_int_equal(vcpu.event.vector, number);      \
		assert_int_equal(sysregs[SYSREG_RIP], 0);         \
	} while (0)

static u32 word_at(u32 address, size_t size)
{
	u32 value = 0;

	memcpy(&value, memory + address, size);
	return value;
}

/* ---- Tests ---- */

static void flags_are_the_guests(void **state)
{
	(void)state;
	RUNS("\xfb"); /* STI */
	assert_int_equal(sysregs[SYSREG_RFLAGS], RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(delays, 1);
	RUNS("\xfb");
	assert_int_equal(delays, 1);
	sysregs[SYSREG_RFLAGS] |= RFLAGS_RF | RFLAGS_AC | 0x3000;
	RUNS("\x9c"); /* PUSHF */
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd0ffe);
	assert_int_equal(word_at((STACK << 4) + 0xffe, 2), 0x3202);
	sysregs[SYSREG_RFLAGS] |= RFLAGS_RF;
	RUNS("\x66\x9c");
	assert_int_equal(word_at((STACK << 4) + 0xffa, 4), 0x43202);
	RUNS("\xfa"); /* CLI */
	assert_int_equal(sysregs[SYSREG_RFLAGS], 0x43002);
	/* POPF: all but the fixed bits; with 32 bits AC and ID, too, but not VM. */
	memset(memory + (STACK << 4) + 0xffa, 0xff, 6);
	RUNS("\x66\x9d");
	assert_int_equal(sysregs[SYSREG_RFLAGS], 0x247fd7);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd0ffe);
	sysregs[SYSREG_RFLAGS] = RFLAGS_FIXED | RFLAGS_AC;
	RUNS("\x9d");
	assert_int_equal(sysregs[SYSREG_RFLAGS], RFLAGS_AC | 0x7fd7);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd1000);
	/* The stack wraps at 64 KiB, but not within a word. */
	sysregs[SYSREG_RSP] = 0;
	RUNS("\x9c");
	assert_int_equal(sysregs[SYSREG_RSP], 0xfffe);
	sysregs[SYSREG_RSP] = 1;
	QUEUES("\x9c", SS_VECTOR);
	assert_int_equal(sysregs[SYSREG_RSP], 1);
}

static void interrupts_and_back(void **state)
{
	const u8 vector[] = {0x34, 0x12, 0x78, 0x56};

	(void)state;
	memcpy(memory + 4 * 0x21, vector, 4);
	sysregs[SYSREG_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_CF;
	assert_int_equal(EXECUTE("\xcd\x21"), REAL_MODE_DONE);
	assert_false(vcpu.event.valid);
	assert_int_equal(sysregs[SYSREG_RIP], 0x1234);
	assert_int_equal(segments[SEG_CS].selector, 0x5678);
	assert_int_equal(segments[SEG_CS].base, 0x56780);
	assert_int_equal(sysregs[SYSREG_RFLAGS], RFLAGS_FIXED | RFLAGS_CF);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd0ffa);
	assert_int_equal(word_at((STACK << 4) + 0xffa, 2), 2); /* IP */
	assert_int_equal(word_at((STACK << 4) + 0xffc, 2), CODE);
	assert_int_equal(word_at((STACK << 4) + 0xffe, 2), 0x303);
	/* IRET */
	memory[0x56780 + 0x1234] = 0xcf;
	assert_int_equal(emulate_real_mode(&vcpu, &ops), REAL_MODE_DONE);
	assert_int_equal(sysregs[SYSREG_RIP], 2);
	assert_int_equal(segments[SEG_CS].base, CODE << 4);
	assert_int_equal(sysregs[SYSREG_RFLAGS], 0x303);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd1000);
	assert_int_equal(unblocks, 1);
	/* IRETD to an offset beyond the segment. */
	sysregs[SYSREG_RSP] = 0x1000;
	memcpy(memory + (STACK << 4) + 0x1000, "\0\0\1\0\0\1\0\0\2\0\0\0", 12);
	assert_int_equal(EXECUTE("\x66\xcf"), REAL_MODE_FAULT);
	assert_int_equal(sysregs[SYSREG_RSP], 0x1000);
	/* Beyond the table. */
	segments[SEG_IDTR].limit = 4 * 0x21 + 2;
	QUEUES("\xcd\x21", GP_VECTOR);
	segments[SEG_IDTR].limit++;
	sysregs[SYSREG_RSP] = 5;
	QUEUES("\xcd\x21", SS_VECTOR);
}

static void events_are_delivered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++)
		memory[4 * i] = (u8)i;
	assert_int_equal(deliver_real_mode(&vcpu, 0x30, 0x77), 0);
	assert_int_equal(sysregs[SYSREG_RIP], 0x30);
	assert_int_equal(word_at((STACK << 4) + 0xffa, 2), 0x77);
	/* A fault in the delivery is a double fault, and one in that the end. */
	segments[SEG_IDTR].limit = 0x40;
	assert_int_equal(deliver_real_mode(&vcpu, 0x30, 0x77), 0);
	assert_int_equal(sysregs[SYSREG_RIP], DF_VECTOR);
	segments[SEG_IDTR].limit = 4 * DF_VECTOR + 2;
	assert_int_equal(deliver_real_mode(&vcpu, 0x30, 0x77), -EFAULT);
	segments[SEG_IDTR].limit = 0x3ff;
	sysregs[SYSREG_RSP] = 3;
	assert_int_equal(deliver_real_mode(&vcpu, 0x30, 0x77), -EFAULT);
}

static void tables_are_loaded(void **state)
{
	const u8 table[] = {0x34, 0x12, 0x78, 0x56, 0x34, 0x92};

	(void)state;
	memcpy(memory + (DATA << 4) + 0x80, table, 6);
	memcpy(memory + (CODE << 4) + 0x90, table, 6);
	memcpy(memory + (DATA << 4) + 0xfffa, table, 6);
	RUNS("\x0f\x01\x16\x80\x00"); /* LGDT [80h]: a base of 24 bits */
	assert_int_equal(segments[SEG_GDTR].limit, 0x1234);
	assert_int_equal(segments[SEG_GDTR].base, 0x345678);
	RUNS("\x2e\x66\x0f\x01\x1e\x90\x00"); /* LIDTD CS:[90h] */
	assert_int_equal(segments[SEG_IDTR].base, 0x92345678);
	vcpu.regs[VCPU_RBX] = 0xfff0;
	RUNS("\x66\x0f\x01\x57\x0a"); /* LGDTD [BX + 10] */
	assert_int_equal(segments[SEG_GDTR].base, 0x92345678);
	vcpu.regs[VCPU_RBX]++;
	QUEUES("\x66\x0f\x01\x57\x0a", GP_VECTOR);
	vcpu.regs[VCPU_RBP] = 0xfffb;
	QUEUES("\x66\x0f\x01\x56\x00", SS_VECTOR);
}

static void control_registers(void **state)
{
	(void)state;
	vcpu.regs[VCPU_RBX] = 0xffffffff80000011;
	RUNS("\x0f\x22\xc3"); /* MOV CR0, EBX */
	assert_int_equal(crs[0], 0x80000011);
	RUNS("\x0f\x22\xdb"); /* MOV CR3, EBX */
	assert_int_equal(crs[3], 0x80000011);
	sysregs[SYSREG_RSP] = 0x20;
	RUNS("\x0f\x22\xe4"); /* MOV CR4, ESP */
	assert_int_equal(crs[4], 0x20);
	vcpu.regs[VCPU_RBX] = 0xbad;
	assert_int_equal(EXECUTE("\x0f\x22\xc3"), REAL_MODE_FAULT);
	sysregs[SYSREG_CR4] = 0x600;
	RUNS("\x0f\x20\xe4"); /* MOV ESP, CR4 */
	assert_int_equal(sysregs[SYSREG_RSP], 0x600);
	RUNS("\x0f\x20\xc1"); /* MOV ECX, CR0 */
	assert_int_equal(vcpu.regs[VCPU_RCX], 0x10);
	sysregs[SYSREG_CR0] = 0x3b;
	RUNS("\x0f\x06"); /* CLTS */
	assert_int_equal(crs[0], 0x33);
	vcpu.regs[VCPU_RAX] = 0xfff4;
	RUNS("\x0f\x01\xf0"); /* LMSW AX: PE stays, as do NE and ET */
	assert_int_equal(crs[0], 0x35);
	sysregs[SYSREG_CR0] = 0x10;
	memory[(DATA << 4) + 0x80] = 1;
	RUNS("\x0f\x01\x36\x80\x00"); /* LMSW [80h] */
	assert_int_equal(crs[0], 0x11);
	assert_int_equal(EXECUTE("\x0f\x20\xc8"), REAL_MODE_UNKNOWN); /* MOV EAX, CR1 */
}

static void msrs_and_others(void **state)
{
	(void)state;
	RUNS("\x0f\x32"); /* RDMSR */
	assert_int_equal(vcpu.regs[VCPU_RAX], 0x55667788);
	assert_int_equal(vcpu.regs[VCPU_RDX], 0x11223344);
	RUNS("\x0f\x30"); /* WRMSR */
	assert_true(msr_written == 0x1122334455667788);
	RUNS("\x0f\x01\xd1"); /* XSETBV */
	RUNS("\x0f\x01\x3f"); /* INVLPG [BX] */
	RUNS("\x0f\x21\xd3"); /* MOV EBX, DR2 */
	assert_int_equal(vcpu.regs[VCPU_RBX], 0x102);
	sysregs[SYSREG_CR4] = CR4_DE;
	assert_int_equal(EXECUTE("\x0f\x21\xe3"), REAL_MODE_FAULT); /* MOV EBX, DR4 */
	RUNS("\x0f\x23\xfb");                                       /* MOV DR7, EBX */
	assert_int_equal(sysregs[SYSREG_DR7], 0x502);
	sysregs[SYSREG_DR7] = DR7_GD;
	assert_int_equal(EXECUTE("\x0f\x21\xd3"), REAL_MODE_UNKNOWN);
	vcpu.regs[VCPU_RCX] = 0xbad;
	assert_int_equal(EXECUTE("\x0f\x32"), REAL_MODE_FAULT);
	assert_int_equal(EXECUTE("\x0f\x30"), REAL_MODE_FAULT);
	assert_int_equal(EXECUTE("\x0f\x01\xd1"), REAL_MODE_FAULT);
	RUNS("\xf4"); /* HLT */
	assert_int_equal(halts, 1);
}

static void ports(void **state)
{
	(void)state;
	vcpu.regs[VCPU_RAX] = 0xaabbccdd;
	vcpu.regs[VCPU_RDX] = 0x123cf8;
	RUNS("\xe6\x80"); /* OUT 80h, AL */
	assert_int_equal(last_io.port, 0x80);
	assert_true(last_io.size == 1 && !last_io.in);
	assert_int_equal(port_value, 0xaabbccdd);
	RUNS("\x66\xed"); /* IN EAX, DX */
	assert_int_equal(last_io.port, 0x3cf8);
	assert_true(last_io.size == 4 && last_io.in && !last_io.string);
	assert_int_equal(vcpu.regs[VCPU_RAX], 0x55667788);
	vcpu.regs[VCPU_RAX] = 0;
	RUNS("\xe5\x61"); /* IN AX, 61h */
	assert_int_equal(vcpu.regs[VCPU_RAX], 0x7788);
	/* REP INSW, two iterations, of which a single step makes one; then REP OUTSB with none
	 * left. */
	vcpu.regs[VCPU_RCX] = 2;
	vcpu.regs[VCPU_RDI] = 0x100;
	sysregs[SYSREG_RFLAGS] |= RFLAGS_TF;
	assert_int_equal(EXECUTE("\xf3\x6d"), REAL_MODE_DONE);
	assert_int_equal(sysregs[SYSREG_RIP], 0);
	assert_int_equal(vcpu.regs[VCPU_RCX], 1);
	sysregs[SYSREG_RFLAGS] &= ~RFLAGS_TF;
	assert_int_equal(emulate_real_mode(&vcpu, &ops), REAL_MODE_DONE);
	assert_int_equal(sysregs[SYSREG_RIP], 2);
	vcpu.regs[VCPU_RCX] = 100;
	vcpu.regs[VCPU_RDI] = 0x200;
	assert_int_equal(EXECUTE("\xf3\x6d"), REAL_MODE_DONE);
	assert_int_equal(vcpu.regs[VCPU_RCX], 100 - 64);
	vcpu.regs[VCPU_RCX] = 0;
	vcpu.regs[VCPU_RDI] = 0x104;
	assert_int_equal(word_at((DATA << 4) + 0x100, 4), 0x77887788);
	assert_int_equal(vcpu.regs[VCPU_RDI], 0x104);
	RUNS("\xf3\x6e");
	/* An operand outside of its segment. */
	vcpu.regs[VCPU_RDI] = 0xffff;
	QUEUES("\x6d", GP_VECTOR);
}

static void segments_may_be_larger(void **state)
{
	(void)state;
	vcpu.regs[VCPU_RDI] = BIG;
	vcpu.regs[VCPU_RAX] = 0x12345678;
	assert_int_equal(EXECUTE("\x67\x66\x89\x07"), REAL_MODE_FAULT); /* MOV [EDI], EAX */
	segments[SEG_DS].limit = segments[SEG_ES].limit = 0xffffffff;
	RUNS("\x67\x66\x89\x07");
	assert_int_equal(word_at((DATA << 4) + BIG, 4), 0x12345678);
	vcpu.regs[VCPU_RSI] = BIG + 1;
	RUNS("\x67\xa4"); /* MOVSB */
	assert_int_equal(memory[(DATA << 4) + BIG], 0x56);
	assert_int_equal(vcpu.regs[VCPU_RDI], BIG + 1);
	RUNS("\x67\x8b\x1f"); /* MOV BX, [EDI] */
	assert_int_equal(vcpu.regs[VCPU_RBX], 0x3456);
	/* FXSAVE [EDI] is not emulated; within 64 KiB it would be a fault. */
	assert_int_equal(EXECUTE("\x67\x0f\xae\x07"), REAL_MODE_UNKNOWN);
	vcpu.regs[VCPU_RDI] = 0x10;
	assert_int_equal(EXECUTE("\x67\x0f\xae\x07"), REAL_MODE_FAULT);
	/* A word at FFFFh of a small segment, and what has no operand in memory. */
	segments[SEG_DS].limit = 0xffff;
	vcpu.regs[VCPU_RBX] = 0xffff;
	assert_int_equal(EXECUTE("\x8b\x07"), REAL_MODE_FAULT);
	assert_int_equal(EXECUTE("\x90"), REAL_MODE_FAULT);
	assert_int_equal(EXECUTE("\x0f\x0b"), REAL_MODE_FAULT);
}

static void check_segment(enum segment_reg reg, u16 selector)
{
	assert_int_equal(segments[reg].selector, selector);
	assert_int_equal(segments[reg].base, (u32)selector << 4);
	assert_false(segments[reg].unusable);
	assert_int_equal(segments[reg].limit, 0xffff);
}

static void segment_registers_are_loaded(void **state)
{
	(void)state;
	segments[SEG_ES].unusable = true;
	vcpu.regs[VCPU_RAX] = 0x12345678;
	RUNS("\x8e\xc0"); /* MOV ES, AX */
	check_segment(SEG_ES, 0x5678);
	memcpy(memory + (DATA << 4) + 0x80, "\x11\x22\x33\x44\x55\x66", 6);
	RUNS("\x8e\x2e\x80\x00"); /* MOV GS, [80h] */
	check_segment(SEG_GS, 0x2211);
	assert_int_equal(EXECUTE("\x8e\xc8"), REAL_MODE_FAULT); /* MOV CS, AX */
	RUNS("\xc4\x1e\x80\x00");                               /* LES BX, [80h] */
	check_segment(SEG_ES, 0x4433);
	assert_int_equal(vcpu.regs[VCPU_RBX], 0x2211);
	RUNS("\x66\x0f\xb4\x0e\x80\x00"); /* LFS ECX, [80h] */
	check_segment(SEG_FS, 0x6655);
	assert_int_equal(vcpu.regs[VCPU_RCX], 0x44332211);
	RUNS("\x0f\xb2\x26\x80\x00"); /* LSS SP, [80h] */
	check_segment(SEG_SS, 0x4433);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd2211);
	memcpy(memory + (0x4433 << 4) + 0x2211, "\x77\x88\x99\xaa\xbb\xcc\xdd\xee", 8);
	RUNS("\x07"); /* POP ES */
	check_segment(SEG_ES, 0x8877);
	RUNS("\x66\x0f\xa9"); /* POP GS, with 4 bytes */
	check_segment(SEG_GS, 0xaa99);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd2217);
	RUNS("\x1f"); /* POP DS */
	check_segment(SEG_DS, 0xeedd);
}

/* Nothing of Glasshouse's stack, in particular. */
static void no_memory_reads_as_ones(void **state)
{
	(void)state;
	segments[SEG_DS].base = 0xfff00000;
	RUNS("\x66\x0f\x01\x16\x80\x00"); /* LGDTD [80h] */
	assert_int_equal(segments[SEG_GDTR].limit, 0xffff);
	assert_int_equal(segments[SEG_GDTR].base, 0xffffffff);
	RUNS("\x0f\x01\x36\x80\x00"); /* LMSW [80h] */
	assert_int_equal(crs[0], 0x1f);
	RUNS("\x8e\x2e\x80\x00"); /* MOV GS, [80h] */
	check_segment(SEG_GS, 0xffff);
	RUNS("\xc4\x1e\x80\x00"); /* LES BX, [80h] */
	check_segment(SEG_ES, 0xffff);
	assert_int_equal(vcpu.regs[VCPU_RBX], 0xffff);
	segments[SEG_SS].base = 0xfff00000;
	RUNS("\x07"); /* POP ES */
	check_segment(SEG_ES, 0xffff);
}

static void far_branches(void **state)
{
	(void)state;
	assert_int_equal(EXECUTE("\xea\x34\x12\x78\x56"), REAL_MODE_DONE); /* JMP 5678h:1234h */
	check_segment(SEG_CS, 0x5678);
	assert_int_equal(sysregs[SYSREG_RIP], 0x1234);
	/* CALL and back. */
	segments[SEG_CS].selector = CODE;
	segments[SEG_CS].base = CODE << 4;
	assert_int_equal(EXECUTE("\x9a\x00\xf0\x78\x56"), REAL_MODE_DONE);
	check_segment(SEG_CS, 0x5678);
	assert_int_equal(sysregs[SYSREG_RIP], 0xf000);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd0ffc);
	memcpy(memory + 0x56780 + 0xf000, "\xca\x10\x00", 3); /* RETF 10h */
	assert_int_equal(emulate_real_mode(&vcpu, &ops), REAL_MODE_DONE);
	check_segment(SEG_CS, CODE);
	assert_int_equal(sysregs[SYSREG_RIP], 5);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd1010);
	/* With the pointer in memory, 32 bits: JMP, CALL; and to an offset beyond the segment. */
	memcpy(memory + (DATA << 4) + 0x80, "\x34\x12\x00\x00\x00\x20", 6);
	assert_int_equal(EXECUTE("\x66\xff\x1e\x80\x00"), REAL_MODE_DONE);
	check_segment(SEG_CS, DATA);
	assert_int_equal(sysregs[SYSREG_RIP], 0x1234);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd1008);
	memory[(DATA << 4) + 0x82] = 1;
	segments[SEG_CS].selector = CODE;
	segments[SEG_CS].base = CODE << 4;
	assert_int_equal(EXECUTE("\x66\xff\x2e\x80\x00"), REAL_MODE_FAULT);
	assert_int_equal(EXECUTE("\x66\xff\x1e\x80\x00"), REAL_MODE_FAULT);
	assert_int_equal(sysregs[SYSREG_RSP], 0xabcd1008);
	assert_int_equal(EXECUTE("\xff\x27"), REAL_MODE_FAULT); /* JMP [BX], a near one */
}

/* What would access the host's registers: INVD, WBINVD, CR2, debug registers. */
static bool touches_host(void)
{
	struct insn insn;

	if (!decode_guest_insn(&vcpu, &insn) || insn.map != 1)
		return false;
	return (insn.opcode & 0xfe) == 8 || (insn.opcode >= 0x20 && insn.opcode <= 0x23);
}

/* Any bytes, registers and segments: nothing is lost (the sanitizers see it), RIP and SP stay
 * within 64 KiB, and what is no instruction of the emulator leaves no trace. */
static void anything_may_be_executed(void **state)
{
	static const u8 opcodes[] = {0x07, 0x1f, 0x6c, 0x6f, 0x8e, 0x9a, 0x9c, 0x9d, 0xc4,
				     0xc5, 0xca, 0xcb, 0xcd, 0xcf, 0xe4, 0xef, 0xea, 0xf4,
				     0xfa, 0xfb, 0xff, 0xa4, 0xab, 0x89, 0x00, 0xf6};
	static const u8 opcodes_0f[] = {0x01, 0x06, 0x30, 0x32, 0xa1, 0xa9, 0xb2, 0xb5, 0xba};
	u64 seed = 7;

	for (unsigned n = 0; n < 200000; n++) {
		u8 *code = memory + (CODE << 4), *at = code;

		setup(state);
		for (unsigned i = 0; i < 16; i++)
			code[i] = (u8)rand_next(&seed);
		for (unsigned i = (unsigned)rand_below(&seed, 3); i; i--)
			*at++ = (u8[]){0x66, 0x67, 0xf3, 0x2e, 0x36}[rand_below(&seed, 5)];
		if (rand_below(&seed, 3) == 0) {
			*at++ = 0x0f;
			*at = opcodes_0f[rand_below(&seed, sizeof(opcodes_0f))];
		} else if (rand_below(&seed, 4)) {
			*at = opcodes[rand_below(&seed, sizeof(opcodes))];
		}
		for (unsigned i = 0; i < 8; i++)
			vcpu.regs[i] = rand_next(&seed) >> rand_below(&seed, 64);
		sysregs[SYSREG_RSP] = rand_next(&seed) >> rand_below(&seed, 64);
		if (rand_below(&seed, 2))
			segments[SEG_DS].limit = segments[SEG_ES].limit = 0xffffffff;
		if (touches_host())
			continue;
		if (emulate_real_mode(&vcpu, &ops) == REAL_MODE_DONE)
			assert_true(sysregs[SYSREG_RIP] <= 0x10000 || vcpu.event.valid);
		else
			assert_int_equal(sysregs[SYSREG_RIP], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(flags_are_the_guests, setup),
		cmocka_unit_test_setup(interrupts_and_back, setup),
		cmocka_unit_test_setup(events_are_delivered, setup),
		cmocka_unit_test_setup(tables_are_loaded, setup),
		cmocka_unit_test_setup(control_registers, setup),
		cmocka_unit_test_setup(msrs_and_others, setup),
		cmocka_unit_test_setup(ports, setup),
		cmocka_unit_test_setup(segments_may_be_larger, setup),
		cmocka_unit_test_setup(segment_registers_are_loaded, setup),
		cmocka_unit_test_setup(no_memory_reads_as_ones, setup),
		cmocka_unit_test_setup(far_branches, setup),
		cmocka_unit_test(anything_may_be_executed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
