// SPDX-License-Identifier: MIT
/*
 * What the monkey does. Each action is one function; the table at the end says how often it is
 * chosen. Left out is only what would end or derail the guest by itself on a bare machine as well;
 * each such list says so.
 */
#include "guests/monkey/monkey.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "guests/lib/guest.h"

#define CODE(...) ((const u8[]){__VA_ARGS__}), sizeof((const u8[]){__VA_ARGS__})

static bool one_in(struct mcpu *m, u64 n)
{
	return rnd(m) % n == 0;
}

/* Any 64 bits: small, with one bit, near an edge, or all by chance. */
static u64 any(struct mcpu *m)
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

/* ---- CPUID, MSRs, ports ------------------------------------------------------------------- */

static void do_cpuid(struct mcpu *m)
{
	static const u32 bases[] = {0, 0, 0x40000000, 0x80000000};

	for (unsigned i = 0; i < 24; i++)
		cpuid(one_in(m, 8) ? (u32)any(m) : bases[rnd(m) % 4] + (u32)(rnd(m) % 40),
		      (u32)(rnd(m) % 8));
}

static u32 any_msr(struct mcpu *m)
{
	static const u32 known[] = {
		MSR_IA32_FEAT_CTL,
		MSR_IA32_SMM_MONITOR_CTL,
		MSR_IA32_VMX_BASIC,
		MSR_IA32_UCODE_WRITE,
		MSR_IA32_PEBS_ENABLE,
		MSR_IA32_RTIT_CTL,
		MSR_IA32_DEBUGCTLMSR,
		MSR_EFER,
		MSR_IA32_CR_PAT,
		MSR_MTRRdefType,
		MSR_MTRRphysBase0,
		MSR_IA32_SYSENTER_EIP,
		MSR_FS_BASE,
		MSR_KERNEL_GS_BASE,
		MSR_IA32_XSS,
		MSR_IA32_TSC_ADJUST,
		MSR_IA32_DS_AREA,
		MSR_IA32_APICBASE,
		MSR_IA32_VMX_EXIT_CTLS,
		MSR_IA32_MISC_ENABLE,
		MSR_TSC_AUX,
	};

	switch (rnd(m) % 5) {
	case 0:
		return known[rnd(m) % ARRAY_SIZE(known)];
	case 1:
		return (u32)rnd(m) % 0x2000;
	case 2:
		return 0xc0000000 + (u32)rnd(m) % 0x2000;
	case 3:
		return MSR_IA32_VMX_BASIC + (u32)rnd(m) % 32;
	default:
		return (u32)any(m);
	}
}

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

/* Not: the local APIC's mode and, in x2APIC mode, its registers; the time that ends endless code.
 */
bool may_write_msr(u32 msr)
{
	return msr != MSR_IA32_TSC_DEADLINE && msr != MSR_IA32_TSC && msr != MSR_IA32_TSC_ADJUST &&
	       !(msr >= MSR_X2APIC_BASE && msr <= MSR_X2APIC_LAST);
}

static void do_write_msr(struct mcpu *m)
{
	u32 msr = any_msr(m);
	u64 old = 0, value = any(m);
	bool there;

	if (!may_write_msr(msr))
		return;
	any_registers(m);
	there = do_rdmsr(m, msr, &old) == END_VECTOR;
	if (there && one_in(m, 2))
		value = old ^ BIT(rnd(m) % 64);
	/* The APIC stays on; it may try to move. */
	if (msr == MSR_IA32_APICBASE)
		value = (value & ~(u64)(APICBASE_EXTD | APICBASE_ENABLE)) |
			(old & (APICBASE_EXTD | APICBASE_ENABLE));
	do_wrmsr(m, msr, value);
	if (there)
		do_wrmsr(m, msr, old);
}

/*
 * Not written: what resets, switches off or sets up the machine's devices (DMA, interrupt
 * controllers, CMOS, A20, PCI, disks, floppy, screen, emulator's own), and the serial lines.
 */
bool may_write_port(u64 port)
{
	static const struct {
		u16 first, last;
	} no[] = {
		{0x00, 0x3f},     {0x60, 0x60},     {0x64, 0x64},     {0x70, 0x77},
		{0x80, 0xdf},     {0xe9, 0xe9},     {0x170, 0x177},   {0x1ce, 0x1d1},
		{0x1f0, 0x1f7},   {0x2e8, 0x2ff},   {0x370, 0x377},   {0x3b0, 0x3df},
		{0x3e8, 0x3ff},   {0x400, 0x403},   {0x500, 0x503},   {0x4d0, 0x4d1},
		{0xcf8, 0xcff},   {0x8900, 0x8903}, {0x8a00, 0x8a03}, {0xb000, 0xb13f},
		{0xc000, 0xc0ff}, {0xfff0, 0xffff},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(no); i++)
		if (port + 3 >= no[i].first && port <= no[i].last)
			return false;
	return true;
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
		/* INS, into the window; rarely elsewhere. */
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

/* Commands that do nothing: read the command byte; power management without "sleep". */
static void do_trapped_port(struct mcpu *m)
{
	if (one_in(m, 2))
		outb(0x64, 0x20);
	else
		outw(0xb004, (u16)(rnd(m) & 0x1c00));
	inb(one_in(m, 2) ? 0x64 : 0x60);
	inw(0xb004);
}

/* ---- Instructions ------------------------------------------------------------------------- */

/* Instructions that a hypervisor may see, or that change what it keeps; registers are by chance. */
const struct insn insns[] = {
	{3, {0x0f, 0x01, 0xc1}},             /* vmcall */
	{3, {0x0f, 0x01, 0xc2}},             /* vmlaunch */
	{3, {0x0f, 0x01, 0xc3}},             /* vmresume */
	{3, {0x0f, 0x01, 0xc4}},             /* vmxoff */
	{3, {0x0f, 0x01, 0xd4}},             /* vmfunc */
	{3, {0x0f, 0x78, 0xc1}},             /* vmread */
	{3, {0x0f, 0x79, 0xc1}},             /* vmwrite */
	{3, {0x0f, 0xc7, 0x30}},             /* vmptrld (rax) */
	{3, {0x0f, 0xc7, 0x38}},             /* vmptrst (rax) */
	{4, {0x66, 0x0f, 0xc7, 0x30}},       /* vmclear (rax) */
	{4, {0xf3, 0x0f, 0xc7, 0x30}},       /* vmxon (rax) */
	{5, {0x66, 0x0f, 0x38, 0x80, 0x08}}, /* invept */
	{5, {0x66, 0x0f, 0x38, 0x81, 0x08}}, /* invvpid */
	{5, {0x66, 0x0f, 0x38, 0x82, 0x08}}, /* invpcid */
	{2, {0x0f, 0x37}},                   /* getsec */
	{2, {0x0f, 0xaa}},                   /* rsm */
	{2, {0x0f, 0xa2}},                   /* cpuid */
	{2, {0x0f, 0xa2}},                   /* cpuid */
	{3, {0x0f, 0x01, 0xd1}},             /* xsetbv */
	{3, {0x0f, 0x01, 0xd0}},             /* xgetbv */
	{2, {0x0f, 0x08}},                   /* invd */
	{2, {0x0f, 0x09}},                   /* wbinvd */
	{2, {0x0f, 0x06}},                   /* clts */
	{3, {0x0f, 0x01, 0xf0}},             /* lmsw ax */
	{3, {0x0f, 0x01, 0xe0}},             /* smsw */
	{3, {0x0f, 0x01, 0x38}},             /* invlpg (rax) */
	{3, {0x0f, 0x01, 0xc8}},             /* monitor */
	{2, {0x0f, 0x33}},                   /* rdpmc */
	{2, {0x0f, 0x31}},                   /* rdtsc */
	{3, {0x0f, 0x01, 0xf9}},             /* rdtscp */
	{3, {0x0f, 0xc7, 0xf0}},             /* rdrand */
	{3, {0x0f, 0xc7, 0xf8}},             /* rdseed */
	{3, {0x0f, 0x01, 0xf8}},             /* swapgs */
	{3, {0x0f, 0x22, 0xc0}},             /* mov rax, cr0 */
	{3, {0x0f, 0x22, 0xe0}},             /* mov rax, cr4 */
	{4, {0x44, 0x0f, 0x22, 0xc0}},       /* mov rax, cr8 */
	{3, {0x0f, 0x20, 0xc0}},             /* mov cr0, rax */
	{3, {0x0f, 0x20, 0xe0}},             /* mov cr4, rax */
	{3, {0x0f, 0x22, 0xd0}},             /* mov rax, cr2 */
	{3, {0x0f, 0x23, 0xc0}},             /* mov rax, dr0 */
	{3, {0x0f, 0x23, 0xf0}},             /* mov rax, dr6 */
	{3, {0x0f, 0x23, 0xf8}},             /* mov rax, dr7 */
	{3, {0x0f, 0x21, 0xf0}},             /* mov dr6, rax */
	{3, {0x0f, 0x00, 0xd0}},             /* lldt */
	{3, {0x0f, 0x00, 0xd8}},             /* ltr */
	{3, {0x0f, 0x01, 0x08}},             /* sidt (rax) */
	{2, {0x0f, 0x05}},                   /* syscall */
	{2, {0x0f, 0x34}},                   /* sysenter */
	{2, {0x0f, 0x35}},                   /* sysexit */
	{3, {0x48, 0x0f, 0x07}},             /* sysret */
	{3, {0xfb, 0x0f, 0xa2}},             /* sti; cpuid */
	{4, {0x8e, 0xd0, 0x0f, 0xa2}},       /* mov eax, ss; cpuid */
	{2, {0xfb, 0xf4}},                   /* sti; hlt */
	{1, {0xf4}},                         /* hlt */
	{1, {0xf1}},                         /* int1 */
	{1, {0xcc}},                         /* int3 */
	{2, {0xcd, 0x02}},                   /* int 2 */
	{2, {0xcd, 0x0d}},                   /* int 13 */
	{2, {0x0f, 0x0b}},                   /* ud2 */
	{2, {0xf7, 0xf1}},                   /* div ecx */
	{1, {0x9c}},                         /* pushf */
	{3, {0x50, 0x9d, 0x90}},             /* push rax; popf */
	{2, {0x48, 0xcf}},                   /* iretq */
	{1, {0xcb}},                         /* retf */
	{3, {0x0f, 0xae, 0x00}},             /* fxsave (rax) */
	{3, {0x0f, 0xae, 0x20}},             /* xsave (rax) */
	{4, {0x48, 0x0f, 0xc7, 0x18}},       /* xrstors (rax) */
	{1, {0xec}},                         /* in dx, al */
	{2, {0x66, 0xed}},                   /* in dx, ax; eax in 16-bit code */
	{1, {0xfa}},                         /* cli */
};
const unsigned nr_insns = ARRAY_SIZE(insns);

static void do_insn(struct mcpu *m)
{
	const struct insn *i = &insns[rnd(m) % ARRAY_SIZE(insns)];
	unsigned bits = one_in(m, 4) ? one_in(m, 2) ? 16 : 32 : 64;
	unsigned ring = one_in(m, 3) ? 3 : (unsigned)rnd(m) % 4;

	any_registers(m);
	m->in[RAX] = one_in(m, 3) ? m->in[RAX] : (u64)m->code + 0x2000;
	if (i->bytes[0] == 0x0f && i->bytes[1] == 0x22) {
		/* Near what is there. From 64-bit code: from any other the CPU would leave long
		 * mode. */
		bits = 64;
		m->in[RAX] = (i->bytes[2] == 0xe0 ? m->cr4 : m->cr0) ^ BIT(rnd(m) % 64);
		if (i->bytes[2] == 0xe0 && (m->in[RAX] ^ m->cr4) & CR4_SMEP)
			return;
	}
	/* 0x44 is a prefix in 64-bit code only. */
	if (i->bytes[0] == 0x44)
		bits = 64;
	/* Not DR7.GD: it is for whoever reads the debug registers next, and that is the monkey. */
	if (i->bytes[0] == 0x0f && i->bytes[1] == 0x23)
		m->in[RAX] &= ~BIT(13);
	run_code(m, i->bytes, i->length, ring, bits);
}

/* Bytes by chance, where they can reach only the window. */
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

/* Loads, stores and more, at (rdi). */
const struct insn accesses[] = {
	{2, {0x8b, 0x07}},             /* mov (rdi), eax */
	{2, {0x8a, 0x07}},             /* mov (rdi), al */
	{3, {0x48, 0x8b, 0x07}},       /* mov (rdi), rax */
	{2, {0x89, 0x07}},             /* mov eax, (rdi) */
	{3, {0x48, 0x89, 0x07}},       /* mov rax, (rdi) */
	{3, {0xc6, 0x07, 0x55}},       /* movb 55h, (rdi) */
	{3, {0xf0, 0xff, 0x07}},       /* lock incl (rdi) */
	{2, {0x87, 0x07}},             /* xchg eax, (rdi) */
	{4, {0xf0, 0x0f, 0xb1, 0x0f}}, /* lock cmpxchg ecx, (rdi) */
	{4, {0x48, 0x0f, 0xc7, 0x0f}}, /* cmpxchg16b (rdi) */
	{2, {0xff, 0x37}},             /* push (rdi) */
	{2, {0x8f, 0x07}},             /* pop (rdi) */
	{3, {0x0f, 0x11, 0x07}},       /* movups xmm0, (rdi) */
	{3, {0x0f, 0x29, 0x07}},       /* movaps xmm0, (rdi) */
	{2, {0xd9, 0x3f}},             /* fnstcw (rdi) */
	{3, {0x0f, 0xae, 0x07}},       /* fxsave (rdi) */
	{2, {0xf3, 0xaa}},             /* rep stosb */
	{2, {0xf3, 0xa5}},             /* rep movsd */
	{2, {0xf3, 0xa4}},             /* rep movsb */
	{2, {0xff, 0x17}},             /* call (rdi) */
	{2, {0xff, 0xe7}},             /* jmp rdi */
	{3, {0x48, 0xff, 0x2f}},       /* ljmp (rdi) */
	{2, {0x86, 0x27}},             /* xchg ah, (rdi) */
	{3, {0x0f, 0xab, 0x07}},       /* bts eax, (rdi) */
	{3, {0x0f, 0xae, 0x3f}},       /* clflush (rdi) */
};
const unsigned nr_accesses = ARRAY_SIZE(accesses);

/* Glasshouse's own memory, by any instruction; also as a stack. */
static void do_hidden(struct mcpu *m)
{
	const struct insn *i = &accesses[rnd(m) % ARRAY_SIZE(accesses)];
	u64 at = hole_start + rnd(m) % (hole_size - 4096);

	if (!hole_size)
		return;
	any_registers(m);
	if (one_in(m, 4))
		at |= 0xff8 + rnd(m) % 8; /* over the edge of a page */
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

/* Reads of all that is below 4 GiB; of the interrupt controllers and timers where they have
 * registers. */
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

/* Writes to what is nobody's: between RAM and devices. */
static void do_write_nobody(struct mcpu *m)
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

	/* The first CPU sees to it that the others start again. */
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
	case 2: /* without INIT: nobody listens */
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
	{20, do_cpuid},       {8, do_read_msr}, {5, do_write_msr},   {8, do_port},
	{4, do_trapped_port}, {20, do_insn},    {8, do_bytes},       {6, do_cr},
	{4, do_xsetbv},       {10, do_hidden},  {2, do_read_memory}, {1, do_write_nobody},
	{4, do_ipi},
};

void act(struct mcpu *m)
{
	unsigned total = 0, choice;

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
