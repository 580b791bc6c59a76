// SPDX-License-Identifier: MIT
/*
 * The actions of the monkey. Each action is a function; the table at the end has its probability.
 * The monkey avoids only what would end the guest on a bare machine, too; each such list says why.
 */
#include "guests/monkey/monkey.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "guests/lib/guest.h"
#include "lib/string.h"

#define CODE(...) ((const u8[]){__VA_ARGS__}), sizeof((const u8[]){__VA_ARGS__})

bool one_in(struct mcpu *m, u64 n)
{
	return rnd(m) % n == 0;
}

u64 any(struct mcpu *m)
{
	switch (rnd(m) % 6) {
	case 0:
		return rnd(m) % 64;
	case 1:
		return BIT(rnd(m) % 64);
	case 2:
		return BIT(rnd(m) % 64) - 1 - rnd(m) % 2;
	case 3:
		return (u32)rnd(m);
	case 4:
		return (u64)m->code + rnd(m) % 0x10000;
	default:
		return rnd(m);
	}
}

static void any_registers(struct mcpu *m)
{
	for (unsigned i = 0; i < NR_REGS; i++)
		m->in[i] = any(m);
}

/* ---- MSRs, ports -------------------------------------------------------------------------- */

u64 do_rdmsr(struct mcpu *m, u32 msr, u64 *value)
{
	struct frame *f;

	m->in[RCX] = msr;
	f = run_code(m, CODE(0x0f, 0x32), 0, 64);
	*value = f->regs[RDX] << 32 | (u32)f->regs[RAX];
	return f->vector;
}

u64 do_wrmsr(struct mcpu *m, u32 msr, u64 value)
{
	m->in[RCX] = msr;
	m->in[RAX] = (u32)value;
	m->in[RDX] = value >> 32;
	return run_code(m, CODE(0x0f, 0x30), 0, 64)->vector;
}

static void do_read_msr(struct mcpu *m)
{
	u64 value;

	any_registers(m);
	do_rdmsr(m, any_msr(m), &value);
}

/*
 * What is not written to MSRs. Other values may be written, as the old one is restored at once.
 */
static const struct {
	u32 first, last;
	u64 keep; /* bits that keep their values */
	const char *why;
} msr_rules[] = {
	{MSR_IA32_APICBASE, MSR_IA32_APICBASE, APICBASE_EXTD | APICBASE_ENABLE,
	 "the local APIC's mode: not every mode can be left without a reset"},
	{MSR_X2APIC_ICR, MSR_X2APIC_ICR, ~0ull, "interrupt commands: do_ipi() sends them"},
	{MSR_X2APIC_BASE + 0x0b, MSR_X2APIC_BASE + 0x0b, ~0ull, "EOI: it could lose an interrupt"},
	{MSR_X2APIC_BASE + 0x0f, MSR_X2APIC_BASE + 0x0f, 0x100,
	 "the local APIC's enable bit: its timer ends endless loops"},
	{MSR_X2APIC_BASE + 0x32, MSR_X2APIC_BASE + 0x3e, ~0ull, "the timer: it ends endless loops"},
	{MSR_X2APIC_BASE + 0x3f, MSR_X2APIC_BASE + 0x3f, ~0ull, "interrupts: do_ipi() sends them"},
};

const char *msr_rule(u32 msr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(msr_rules); i++)
		if (msr >= msr_rules[i].first && msr <= msr_rules[i].last)
			return msr_rules[i].why;
	return NULL;
}

u64 msr_value(u32 msr, u64 value, u64 old)
{
	for (unsigned i = 0; i < ARRAY_SIZE(msr_rules); i++)
		if (msr >= msr_rules[i].first && msr <= msr_rules[i].last)
			value = (value & ~msr_rules[i].keep) | (old & msr_rules[i].keep);
	return value;
}

unsigned try_wrmsr(struct mcpu *m, u32 msr, u64 value, u64 old)
{
	/* wrmsr; mov ebx, eax; mov esi, edx; wrmsr */
	static const u8 code[] = {0x0f, 0x30, 0x89, 0xd8, 0x89, 0xf2, 0x0f, 0x30};
	struct frame *f;
	u64 start;

	m->in[RCX] = msr;
	m->in[RAX] = (u32)value;
	m->in[RDX] = value >> 32;
	m->in[RBX] = (u32)old;
	m->in[RSI] = old >> 32;
	f = run_quiet(m, code, sizeof(code));
	start = m->rip;
	return f->vector == END_VECTOR ? 0 : f->rip == start ? 1 : 2;
}

static void do_write_msr(struct mcpu *m)
{
	u32 msr = any_msr(m);
	u64 old = 0, value = any(m);

	any_registers(m);
	if (do_rdmsr(m, msr, &old) != END_VECTOR) {
		if (!msr_rule(msr))
			do_wrmsr(m, msr, value);
		return;
	}
	if (one_in(m, 2))
		value = old ^ BIT(rnd(m) % 64);
	try_wrmsr(m, msr, msr_value(msr, value, old), old);
}

static void do_port(struct mcpu *m)
{
	static const u16 known[] = {0x64,   0x63,   0x61,  0x60, 0xb004,
				    0xb003, 0xb006, 0xcf9, 0x40, 0x43};
	static const u8 in[] = {0xec, 0xed, 0xe4}, out[] = {0xee, 0xef, 0xe6};
	u8 code[4] = {0x66};
	unsigned n = one_in(m, 3), ring = one_in(m, 8) ? (unsigned)rnd(m) % 4 : 0;
	u16 port = one_in(m, 2) ? known[rnd(m) % ARRAY_SIZE(known)] : (u16)rnd(m);

	any_registers(m);
	m->in[RDX] = port;
	if (one_in(m, 2) && may_write_port(port)) {
		code[n++] = out[rnd(m) % 2];
	} else if (one_in(m, 4)) {
		/* INS, mostly into the window. */
		code[n++] = 0xf3;
		code[n++] = 0x6c + (u8)(rnd(m) % 2);
		m->in[RCX] = rnd(m) % 8;
		m->in[RDI] = (u64)m->code + 0x1000 + rnd(m) % 0x1000;
		if (one_in(m, 4))
			m->in[RDI] = one_in(m, 2) ? rnd(m) : hole_start + 8;
	} else {
		code[n++] = in[rnd(m) % 2];
	}
	run_code(m, code, n, ring, 64);
}

/* Writes without effect to intercepted ports: read the command byte; PM1 control without SLP_EN. */
static void do_trapped_port(struct mcpu *m)
{
	if (one_in(m, 2))
		outb(0x64, 0x20);
	else
		outw(0xb004, (u16)(rnd(m) & 0x1c00));
	inb(one_in(m, 2) ? 0x64 : 0x60);
	inw(0xb004);
}

/* ---- Streams ------------------------------------------------------------------------------ */

enum slot_kind {
	S_ANY,
	S_CPUID,
	S_IN,
	S_OUT,
	S_RDMSR,
	S_WRMSR,
	S_CR0,
	S_CR4,
	S_XCR,
	S_WRITE,
	S_NMI
};

/* The instructions of streams. fill_slot() leaves out those that would have an effect without
 * Glasshouse. */
static const struct {
	u8 weight, kind, n, code[8];
} stream[] = {
	{34, S_CPUID, 2, {0x0f, 0xa2}},
	{6, S_IN, 1, {0xec}},
	{3, S_IN, 2, {0x66, 0xed}},
	{3, S_IN, 1, {0xed}},
	{8, S_OUT, 1, {0xee}},
	{12, S_RDMSR, 2, {0x0f, 0x32}},
	{14, S_WRMSR, 2, {0x0f, 0x30}},
	{12, S_CR0, 3, {0x0f, 0x22, 0xc0}},
	{3, S_CR4, 3, {0x0f, 0x22, 0xe0}},
	{8, S_XCR, 3, {0x0f, 0x01, 0xd1}},
	{3, S_ANY, 2, {0x0f, 0x08}},                   /* invd */
	{3, S_ANY, 3, {0x0f, 0x01, 0xc1}},             /* vmcall */
	{2, S_ANY, 3, {0x0f, 0x01, 0xc2}},             /* vmlaunch */
	{2, S_ANY, 3, {0x0f, 0x01, 0xc3}},             /* vmresume */
	{2, S_ANY, 3, {0x0f, 0x01, 0xc4}},             /* vmxoff */
	{2, S_ANY, 3, {0x0f, 0x78, 0xc1}},             /* vmread */
	{2, S_ANY, 3, {0x0f, 0x79, 0xc1}},             /* vmwrite */
	{2, S_ANY, 3, {0x0f, 0xc7, 0x37}},             /* vmptrld (rdi) */
	{2, S_ANY, 3, {0x0f, 0xc7, 0x3f}},             /* vmptrst (rdi) */
	{2, S_ANY, 4, {0x66, 0x0f, 0xc7, 0x37}},       /* vmclear (rdi) */
	{2, S_ANY, 4, {0xf3, 0x0f, 0xc7, 0x37}},       /* vmxon (rdi) */
	{2, S_ANY, 5, {0x66, 0x0f, 0x38, 0x80, 0x0f}}, /* invept */
	{2, S_ANY, 5, {0x66, 0x0f, 0x38, 0x81, 0x0f}}, /* invvpid */
	{2, S_WRITE, 2, {0x89, 0x07}},                 /* mov eax, (rdi) */
	{1, S_WRITE, 3, {0xf0, 0xff, 0x07}},           /* lock incl (rdi) */
	{1, S_WRITE, 2, {0x86, 0x27}},                 /* xchg ah, (rdi) */
	{1, S_WRITE, 1, {0xaa}},                       /* stosb */
	{3, S_NMI, 0, {0}},
};

static void slot_wrmsr(struct mcpu *m, struct slot *s)
{
	static const u32 msrs[] = {MSR_IA32_UCODE_WRITE, MSR_IA32_FEAT_CTL, MSR_IA32_PEBS_ENABLE,
				   MSR_IA32_RTIT_CTL, MSR_IA32_SMM_MONITOR_CTL};

	if (one_in(m, 2)) {
		s->cx = MSR_IA32_APICBASE;
		s->ax = (u32)m->apic_base ^ (one_in(m, 4) ? (u32)BIT(12 + rnd(m) % 20) : 0);
		s->dx = (u32)(m->apic_base >> 32);
	} else {
		s->cx = one_in(m, 2) ? msrs[rnd(m) % ARRAY_SIZE(msrs)]
				     : MSR_IA32_VMX_BASIC + (u32)rnd(m) % 20;
	}
}

/* Send an NMI to this CPU: the last write, or the only one, is to the ICR's low half. */
static void slot_nmi(struct mcpu *m, struct slot *s)
{
	/* mov ecx, (rdi); sub 10h, edi; mov eax, (rdi) */
	static const u8 xapic[] = {0x89, 0x0f, 0x83, 0xef, 0x10, 0x89, 0x07},
			x2apic[] = {0x0f, 0x30};
	bool x2 = m->apic_base & APICBASE_EXTD;

	s->cx = x2 ? MSR_X2APIC_ICR : m->cpu << 24;
	s->di = 0xfee00310;
	s->ax = ICR_NMI;
	s->dx = m->cpu;
	s->n = x2 ? sizeof(x2apic) : sizeof(xapic);
	memcpy(s->code, x2 ? x2apic : xapic, s->n);
}

static bool fill_slot(struct mcpu *m, enum slot_kind kind, struct slot *s)
{
	static const u32 leaves[] = {0, 0, 0x40000000, 0x80000000};
	static const u16 in[] = {0x61, 0x62, 0x64, 0x92, 0xb004, 0xb005};

	switch (kind) {
	case S_CPUID:
		s->ax = one_in(m, 8) ? (u32)any(m) : leaves[rnd(m) % 4] + (u32)(rnd(m) % 40);
		s->cx = (u32)(rnd(m) % 8);
		break;
	case S_IN:
		s->dx = in[rnd(m) % ARRAY_SIZE(in)];
		break;
	case S_OUT: /* without effect: read the command byte; A20 on; PM1 control without SLP_EN */
		s->dx = one_in(m, 3) ? 0x64 : one_in(m, 2) ? 0x92 : 0xb005;
		s->ax = s->dx == 0x64 ? 0x20 : s->dx == 0x92 ? 2 : (u32)(rnd(m) & 0x1c);
		break;
	case S_RDMSR:
		s->cx = one_in(m, 2)   ? MSR_IA32_FEAT_CTL
			: one_in(m, 2) ? MSR_IA32_VMX_BASIC + (u32)rnd(m) % 20
				       : (u32)any(m) | 0x10000;
		break;
	case S_WRMSR:
		slot_wrmsr(m, s);
		return under_hypervisor;
	case S_CR0:
		s->ax = (u32)(m->stream_cr0 ^= CR0_NE); /* a change of NE causes a VM exit */
		break;
	case S_CR4:
		s->ax = (u32)(m->cr4 | CR4_VMXE);
		return under_hypervisor;
	case S_XCR:
		s->cx = one_in(m, 8) ? (u32)any(m) : 0;
		s->ax = (u32)(rnd(m) % 8) | (one_in(m, 8) ? 0 : 1);
		s->dx = one_in(m, 16) ? (u32)any(m) : 0;
		break;
	case S_WRITE:
		s->di = (u32)(hole_start + rnd(m) % (hole_size | 1));
		return hole_size;
	case S_NMI:
		slot_nmi(m, s);
		break;
	case S_ANY:
		break;
	}
	return true;
}

/* Run a random stream. Most VM exits come from these. */
static void do_stream(struct mcpu *m)
{
	static u8 pick[256];
	static unsigned total;
	unsigned n = 8 + (unsigned)rnd(m) % 33;

	if (!total) {
		unsigned sum = 0;

		for (unsigned i = 0; i < ARRAY_SIZE(stream); i++)
			for (unsigned k = 0; k < stream[i].weight; k++)
				pick[sum++] = (u8)i;
		total = sum;
	}
	m->stream_cr0 = m->cr0;
	for (; n; n--) {
		u64 a = rnd(m), b = rnd(m);
		unsigned i = pick[(a >> 32 ^ b) % total];
		struct slot s = {(u32)a, (u32)(a >> 32), (u32)b, (u32)(b >> 32), stream[i].n, {0}};

		__builtin_memcpy(s.code, stream[i].code, sizeof(s.code));
		if (fill_slot(m, (enum slot_kind)stream[i].kind, &s))
			stream_add(m, &s);
	}
	/* Run it twice: building it costs as much as a run. */
	stream_run(m, 2, one_in(m, 16));
}

/* ---- Instructions ------------------------------------------------------------------------- */

/* Put a random frame for IRET or RETF on the stack. */
static void put_frame(struct mcpu *m, unsigned bits, const struct insn *i)
{
	static const u16 selectors[] = {CODE64(0), CODE64(3), CODE32(0), CODE32(3), CODE16(3),
					DATA(0),   TSS_SEL,   0,         CODE64(1), 0x1f8};
	bool wide = bits == 64 && i->bytes[0] == 0x48;
	u64 frame[5] = {one_in(m, 4) ? any(m) : (u64)m->code + 0x4000,
			selectors[rnd(m) % ARRAY_SIZE(selectors)],
			RFLAGS_FIXED | (rnd(m) & 0x27fdd5), (u64)m->code + 0x6000,
			one_in(m, 2) ? DATA(3) : selectors[rnd(m) % 10]};
	u8 *to = (u8 *)m->rsp;

	for (unsigned n = 0, size = wide ? 8 : bits == 16 ? 2 : 4; n < 5; n++, to += size)
		memcpy(to, &frame[n], size);
}

bool run_insn(struct mcpu *m, const struct insn *i, unsigned ring, unsigned bits)
{
	u64 low = BUFFER16 + 0x400ull * m->cpu;
	struct place p = {bits,
			  true,
			  true,
			  m->cr0,
			  read_cr3(),
			  m->cr4,
			  (u64)m->gdt,
			  (u64)idt,
			  sizeof(m->gdt) - 1,
			  256 * 16 - 1,
			  (u64)m->code + 0x2000,
			  (u64)m->code + 0x4000};
	struct operands o;
	u8 code[8] = {0x66};
	unsigned prefix = bits == 16 && (i->with == WITH_GDT || i->with == WITH_IDT);

	any_registers(m);
	if (bits == 16) {
		m->in[RBX] = low;
		m->in[RSI] = 0;
	} else if (!one_in(m, 3) || i->with == WITH_GDT || i->with == WITH_IDT) {
		m->in[RAX] = p.memory;
	}
	o = (struct operands){m->in[RAX], m->in[RCX], m->in[RDX],
			      m->in[RBX], m->in[RSI], m->in[RDI]};
	if (!prepare_insn(m, i, &p, &o))
		return false;
	m->in[RAX] = o.ax;
	m->in[RCX] = o.cx;
	m->in[RDX] = o.dx;
	m->in[RBX] = o.bx;
	m->in[RSI] = o.si;
	m->in[RDI] = o.di;
	m->rsp = (u64)m->code + WINDOW_SIZE - 256;
	if (i->with == WITH_FRAME)
		put_frame(m, bits, i);
	if (one_in(m, 2))
		write_cr4(m->cr4 | CR4_OSFXSR | (m->has_xsave ? CR4_OSXSAVE : 0));
	memcpy(code + prefix, i->bytes, i->length);
	run_code(m, code, i->length + prefix, ring, bits);
	if (read_cr3() != p.cr3)
		write_cr3(p.cr3);
	if (i->with == WITH_GDT || i->with == WITH_IDT || i->with == WITH_SELECTOR)
		load_tables(m);
	return true;
}

static void do_insn(struct mcpu *m)
{
	const struct insn *i = &insns[rnd(m) % nr_insns];
	unsigned bits = one_in(m, 4) ? one_in(m, 2) ? 16 : 32 : 64;

	run_insn(m, i, one_in(m, 3) ? 3 : (unsigned)rnd(m) % 4, bits);
}

/* Random bytes as code, in ring 3, where they can write only to the windows. */
static void do_bytes(struct mcpu *m)
{
	u8 code[32];
	unsigned n = 1 + (unsigned)rnd(m) % sizeof(code), bits = 16u << rnd(m) % 3;

	for (unsigned i = 0; i < n; i++)
		code[i] = (u8)(rnd(m) >> 32);
	any_registers(m);
	run_code(m, code, n, 3, bits);
}

static void do_cr(struct mcpu *m)
{
	m->in[RAX] = m->cr0 ^ (one_in(m, 2) ? CR0_NE : BIT(rnd(m) % 32));
	if (m->in[RAX] & CR0_PG && m->in[RAX] & CR0_PE)
		run_code(m, CODE(0x0f, 0x22, 0xc0), 0, 64);
	m->in[RAX] = m->cr4 | CR4_VMXE;
	run_code(m, CODE(0x0f, 0x22, 0xe0), 0, 64);
}

static void do_xsetbv(struct mcpu *m)
{
	if (!(cpuid(1, 0).ecx & BIT(26)))
		return;
	write_cr4(m->cr4 | CR4_OSXSAVE);
	m->in[RCX] = one_in(m, 8) ? any(m) : 0;
	m->in[RAX] = one_in(m, 2) ? rnd(m) % 8 | 1 : any(m);
	m->in[RDX] = one_in(m, 4) ? any(m) : 0;
	run_code(m, CODE(0x0f, 0x01, 0xd1), one_in(m, 4) ? 3 : 0, 64);
}

/* ---- Memory ------------------------------------------------------------------------------- */

/* Access Glasshouse's memory by any instruction; also use it as a stack. */
static void do_hidden(struct mcpu *m)
{
	const struct insn *i = &accesses[rnd(m) % nr_accesses];
	u64 at = hole_start + rnd(m) % (hole_size - 4096);

	if (!hole_size)
		return;
	any_registers(m);
	if (one_in(m, 4))
		at |= 0xff8 + rnd(m) % 8; /* often across pages */
	m->in[RDI] = at;
	m->in[RSI] =
		one_in(m, 2) ? (u64)m->code + 0x3000 : hole_start + rnd(m) % (hole_size - 4096);
	m->in[RCX] = rnd(m) % 64;
	m->in[RAX] = rnd(m) % 64;
	m->in[RDX] = m->in[RBX] = rnd(m);
	write_cr4(m->cr4 | CR4_OSFXSR);
	run_code(m, i->bytes, i->length, 0, 64);
	if (one_in(m, 8)) {
		/* mov rdi, rsp; push; call; pop; ret */
		m->in[RDI] = at & ~7ull;
		run_code(m, CODE(0x48, 0x89, 0xfc, 0x50, 0x51, 0xe8, 0, 0, 0, 0, 0x58, 0xc3), 0,
			 64);
	}
}

/* Read any address below 4 GiB; of interrupt controllers and timers only known registers. */
static void do_read_memory(struct mcpu *m)
{
	static const u64 special[] = {0,          0xa0000,    0xc0000,    0xf0000,
				      0xfec00010, 0xfed000f0, 0xfee00030, 0xfffffff0};
	u64 at = (u32)rnd(m) & ~7ull;

	if (one_in(m, 4) || at >> 24 == 0xfe)
		at = special[rnd(m) % ARRAY_SIZE(special)];
	any_registers(m);
	m->in[RDI] = at;
	run_code(m, accesses[0].bytes, accesses[0].length, 0, 64);
}

/* Write to addresses between RAM and devices, which neither uses. */
static void do_write_unused(struct mcpu *m)
{
	const struct insn *i;

	any_registers(m);
	m->in[RDI] = (GIB(2) + rnd(m) % GIB(1)) & ~7ull;
	i = &accesses[3 + rnd(m) % 6];
	run_code(m, i->bytes, i->length, 0, 64);
}

/* ---- Interrupts --------------------------------------------------------------------------- */

static void do_ipi(struct mcpu *m)
{
	u32 target = (u32)rnd(m) % monkey_cpus;

	/* INIT to itself: the first CPU starts it again. */
	if (init_allowed && m->cpu && one_in(m, 128)) {
		mcpu_up[m->cpu] = false;
		apic_send(m->cpu, ICR_INIT);
	}
	switch (mcpu_up[target] ? rnd(m) % 4 : 3) {
	case 0:
		apic_send(target, ICR_NMI);
		break;
	case 1:
		for (unsigned i = 0; i < 8; i++)
			apic_send(target, ICR_NMI);
		break;
	case 2: /* a SIPI without an INIT is ignored */
		if (!init_allowed)
			apic_send(target, ICR_STARTUP | (u32)(rnd(m) % 256));
		break;
	default:
		apic_send(target, IPI_VECTOR);
	}
	any_registers(m);
	run_code(m, CODE(0xfb, 0x0f, 0xa2, 0xf4), 0, 64); /* sti; cpuid; hlt */
}

static const struct {
	unsigned weight;
	void (*fn)(struct mcpu *m);
} actions[] = {
	{20, do_stream},      {8, do_read_msr}, {5, do_write_msr},   {8, do_port},
	{4, do_trapped_port}, {20, do_insn},    {8, do_bytes},       {6, do_cr},
	{4, do_xsetbv},       {10, do_hidden},  {2, do_read_memory}, {1, do_write_unused},
	{4, do_ipi},
};

void act(struct mcpu *m)
{
	unsigned total = 0, choice;

	if (with_tables && one_in(m, 2)) {
		do_tables(m);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++)
		total += actions[i].weight;
	choice = (unsigned)rnd(m) % total;
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
		if (choice < actions[i].weight) {
			actions[i].fn(m);
			return;
		}
		choice -= actions[i].weight;
	}
}
