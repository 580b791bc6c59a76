// SPDX-License-Identifier: MIT
/*
 * The instructions that the monkey executes in every mode of the CPU: those that may cause VM
 * exits, those that change state that a hypervisor manages, and all privileged ones. And the values
 * that each needs in registers and memory, so that it does not crash the monkey itself.
 */
#include "guests/monkey/monkey.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "lib/string.h"

#define NEEDS(with, where, ...)                                               \
	{                                                                     \
		sizeof((const u8[]){__VA_ARGS__}), {__VA_ARGS__}, with, where \
	}
#define ANY(...) NEEDS(WITH_ANY, 0, __VA_ARGS__)

/* clang-format off */
const struct insn insns[] = {
	/* VMX, SMX, SMM, SGX */
	ANY(0x0f, 0x01, 0xc1),                                   /* vmcall */
	ANY(0x0f, 0x01, 0xc2),                                   /* vmlaunch */
	ANY(0x0f, 0x01, 0xc3),                                   /* vmresume */
	ANY(0x0f, 0x01, 0xc4),                                   /* vmxoff */
	ANY(0x0f, 0x01, 0xd4),                                   /* vmfunc */
	ANY(0x0f, 0x78, 0xc1),                                   /* vmread */
	ANY(0x0f, 0x79, 0xc1),                                   /* vmwrite */
	ANY(0x0f, 0xc7, 0x30),                                   /* vmptrld (rax) */
	ANY(0x0f, 0xc7, 0x38),                                   /* vmptrst (rax) */
	ANY(0x66, 0x0f, 0xc7, 0x30),                             /* vmclear (rax) */
	ANY(0xf3, 0x0f, 0xc7, 0x30),                             /* vmxon (rax) */
	ANY(0x66, 0x0f, 0x38, 0x80, 0x08),                       /* invept */
	ANY(0x66, 0x0f, 0x38, 0x81, 0x08),                       /* invvpid */
	ANY(0x0f, 0x37),                                         /* getsec */
	ANY(0x0f, 0xaa),                                         /* rsm */
	ANY(0x0f, 0x01, 0xcf),                                   /* encls */
	ANY(0x0f, 0x01, 0xd7),                                   /* enclu */
	ANY(0x0f, 0x01, 0xc0),                                   /* enclv */
	/* Instructions that cause VM exits, always or depending on controls */
	ANY(0x0f, 0xa2),                                         /* cpuid */
	ANY(0xfb, 0x0f, 0xa2),                                   /* sti; cpuid */
	NEEDS(WITH_SS, 0, 0x8e, 0xd0, 0x0f, 0xa2),               /* mov eax, ss; cpuid */
	ANY(0x0f, 0x01, 0xd1),                                   /* xsetbv */
	ANY(0x0f, 0x01, 0xd0),                                   /* xgetbv */
	ANY(0x0f, 0x08),                                         /* invd */
	ANY(0x0f, 0x09),                                         /* wbinvd */
	ANY(0xf3, 0x0f, 0x09),                                   /* wbnoinvd */
	ANY(0x0f, 0x01, 0x38),                                   /* invlpg (rax) */
	ANY(0x66, 0x0f, 0x38, 0x82, 0x08),                       /* invpcid */
	ANY(0x0f, 0x01, 0xc8),                                   /* monitor */
	NEEDS(WITH_ANY, ONE_CPU, 0x0f, 0x01, 0xc9),              /* mwait */
	ANY(0xf4),                                               /* hlt */
	ANY(0xfb, 0xf4),                                         /* sti; hlt */
	ANY(0xf3, 0x90),                                         /* pause */
	ANY(0x0f, 0x33),                                         /* rdpmc */
	ANY(0x0f, 0x31),                                         /* rdtsc */
	ANY(0x0f, 0x01, 0xf9),                                   /* rdtscp */
	ANY(0x0f, 0xc7, 0xf0),                                   /* rdrand */
	ANY(0x0f, 0xc7, 0xf8),                                   /* rdseed */
	NEEDS(WITH_MSR, 0, 0x0f, 0x32),                          /* rdmsr */
	NEEDS(WITH_MSR_TO_WRITE, 0, 0x0f, 0x30),                 /* wrmsr */
	/* Control and debug registers */
	ANY(0x0f, 0x20, 0xc0),                                   /* mov cr0, rax */
	ANY(0x0f, 0x20, 0xd8),                                   /* mov cr3, rax */
	ANY(0x0f, 0x20, 0xe0),                                   /* mov cr4, rax */
	NEEDS(WITH_ANY, ONLY_64, 0x44, 0x0f, 0x20, 0xc0),        /* mov cr8, rax */
	NEEDS(WITH_CR0, 0, 0x0f, 0x22, 0xc0),                    /* mov rax, cr0 */
	ANY(0x0f, 0x22, 0xc8),                                   /* mov rax, cr1 */
	ANY(0x0f, 0x22, 0xd0),                                   /* mov rax, cr2 */
	NEEDS(WITH_CR3, 0, 0x0f, 0x22, 0xd8),                    /* mov rax, cr3 */
	NEEDS(WITH_CR4, 0, 0x0f, 0x22, 0xe0),                    /* mov rax, cr4 */
	NEEDS(WITH_ANY, ONLY_64, 0x44, 0x0f, 0x22, 0xc0),        /* mov rax, cr8 */
	ANY(0x0f, 0x06),                                         /* clts */
	NEEDS(WITH_LMSW, 0, 0x0f, 0x01, 0xf0),                   /* lmsw ax */
	ANY(0x0f, 0x01, 0xe0),                                   /* smsw */
	ANY(0x0f, 0x21, 0xe0),                                   /* mov dr4, rax */
	ANY(0x0f, 0x21, 0xf0),                                   /* mov dr6, rax */
	NEEDS(WITH_DR, 0, 0x0f, 0x23, 0xc0),                     /* mov rax, dr0 */
	NEEDS(WITH_DR, 0, 0x0f, 0x23, 0xf0),                     /* mov rax, dr6 */
	NEEDS(WITH_DR, 0, 0x0f, 0x23, 0xf8),                     /* mov rax, dr7 */
	/* Tables and segments */
	NEEDS(WITH_GDT, 0, 0x0f, 0x01, 0x10),                    /* lgdt (rax) */
	NEEDS(WITH_IDT, 0, 0x0f, 0x01, 0x18),                    /* lidt (rax) */
	ANY(0x0f, 0x01, 0x00),                                   /* sgdt (rax) */
	ANY(0x0f, 0x01, 0x08),                                   /* sidt (rax) */
	NEEDS(WITH_SELECTOR, 0, 0x0f, 0x00, 0xd0),               /* lldt ax */
	NEEDS(WITH_SELECTOR, 0, 0x0f, 0x00, 0xd8),               /* ltr ax */
	ANY(0x0f, 0x00, 0xc0),                                   /* sldt */
	ANY(0x0f, 0x00, 0xc8),                                   /* str */
	NEEDS(WITH_SELECTOR, 0, 0x0f, 0x00, 0xe0),               /* verr ax */
	NEEDS(WITH_SELECTOR, 0, 0x0f, 0x02, 0xc8),               /* lar ax, cx */
	NEEDS(WITH_SELECTOR, 0, 0x8e, 0xd8),                     /* mov ax, ds */
	ANY(0x0f, 0x01, 0xf8),                                   /* swapgs */
	ANY(0xf3, 0x0f, 0xae, 0xc0),                             /* rdfsbase */
	ANY(0xf3, 0x0f, 0xae, 0xd8),                             /* wrgsbase */
	NEEDS(WITH_TASK, ONLY_LEGACY, 0xea),                     /* jmp to a task */
	/* Ports */
	ANY(0xec),                                               /* in dx, al */
	ANY(0x66, 0xed),                                         /* in dx, ax; eax in 16-bit code */
	ANY(0xed),                                               /* in dx, eax; ax in 16-bit code */
	ANY(0xe4, 0x64),                                         /* in 64h, al */
	NEEDS(WITH_PORT, 0, 0xee),                               /* out al, dx */
	NEEDS(WITH_PORT, 0, 0xef),                               /* out eax, dx */
	NEEDS(WITH_PORT, 0, 0x66, 0xef),                         /* out ax, dx */
	NEEDS(WITH_PORT, 0, 0x6c),                               /* insb */
	NEEDS(WITH_PORT, 0, 0x6d),                               /* insd */
	NEEDS(WITH_PORT, 0, 0xf3, 0x6c),                         /* rep insb */
	NEEDS(WITH_PORT, 0, 0x6e),                               /* outsb */
	NEEDS(WITH_PORT, 0, 0xf3, 0x6f),                         /* rep outsd */
	/* Transfers to other rings */
	ANY(0x0f, 0x05),                                         /* syscall */
	NEEDS(WITH_LANDING, 0, 0x0f, 0x07),                      /* sysret */
	NEEDS(WITH_LANDING, ONLY_64, 0x48, 0x0f, 0x07),          /* sysretq */
	ANY(0x0f, 0x34),                                         /* sysenter */
	NEEDS(WITH_LANDING, 0, 0x0f, 0x35),                      /* sysexit */
	NEEDS(WITH_LANDING, ONLY_64, 0x48, 0x0f, 0x35),          /* sysexitq */
	NEEDS(WITH_FRAME, 0, 0xcf),                              /* iret */
	NEEDS(WITH_FRAME, ONLY_64, 0x48, 0xcf),                  /* iretq */
	NEEDS(WITH_FRAME, 0, 0xcb),                              /* retf */
	NEEDS(WITH_FRAME, ONLY_64, 0x48, 0xcb),                  /* retfq */
	ANY(0xf1),                                               /* int1 */
	ANY(0xcc),                                               /* int3 */
	ANY(0xcd, 0x02),                                         /* int 2 */
	ANY(0xcd, 0x03),                                         /* int 3 */
	ANY(0xcd, 0x08),                                         /* int 8 */
	ANY(0xcd, 0x0d),                                         /* int 13 */
	ANY(0xcd, 0x80),                                         /* int 80h */
	ANY(0xcd, 0xff),                                         /* int 255 */
	NEEDS(WITH_ANY, NOT_64, 0xce),                           /* into */
	NEEDS(WITH_ANY, NOT_64, 0x62, 0x00),                     /* bound */
	ANY(0x0f, 0xff, 0xc0),                                   /* ud0 */
	ANY(0x0f, 0xb9, 0xc0),                                   /* ud1 */
	ANY(0x0f, 0x0b),                                         /* ud2 */
	ANY(0xf7, 0xf1),                                         /* div ecx */
	ANY(0x9c),                                               /* pushf */
	ANY(0x50, 0x9d, 0x90),                                   /* push rax; popf */
	ANY(0xfa),                                               /* cli */
	ANY(0x0f, 0x01, 0xca),                                   /* clac */
	ANY(0x0f, 0x01, 0xcb),                                   /* stac */
	/* Extended state */
	ANY(0x0f, 0xae, 0x00),                                   /* fxsave (rax) */
	ANY(0x0f, 0xae, 0x20),                                   /* xsave (rax) */
	ANY(0x0f, 0xae, 0x28),                                   /* xrstor (rax) */
	ANY(0x0f, 0xc7, 0x20),                                   /* xsavec (rax) */
	ANY(0x0f, 0xc7, 0x28),                                   /* xsaves (rax) */
	ANY(0x0f, 0xc7, 0x18),                                   /* xrstors (rax) */
	NEEDS(WITH_ANY, ONLY_64, 0x48, 0x0f, 0xc7, 0x18),        /* xrstors64 (rax) */
	ANY(0x0f, 0x01, 0xee),                                   /* rdpkru */
	ANY(0x0f, 0x01, 0xef),                                   /* wrpkru */
	ANY(0xf3, 0x0f, 0x01, 0xe8),                             /* setssbsy */
	ANY(0xf3, 0x0f, 0xae, 0x30),                             /* clrssbsy (rax) */
};
const unsigned nr_insns = ARRAY_SIZE(insns);

/* Loads, stores and more, at (rdi). */
const struct insn accesses[] = {
	ANY(0x8b, 0x07),                                         /* mov (rdi), eax */
	ANY(0x8a, 0x07),                                         /* mov (rdi), al */
	ANY(0x48, 0x8b, 0x07),                                   /* mov (rdi), rax */
	ANY(0x89, 0x07),                                         /* mov eax, (rdi) */
	ANY(0x48, 0x89, 0x07),                                   /* mov rax, (rdi) */
	ANY(0xc6, 0x07, 0x55),                                   /* movb 55h, (rdi) */
	ANY(0xf0, 0xff, 0x07),                                   /* lock incl (rdi) */
	ANY(0x87, 0x07),                                         /* xchg eax, (rdi) */
	ANY(0xf0, 0x0f, 0xb1, 0x0f),                             /* lock cmpxchg ecx, (rdi) */
	ANY(0x48, 0x0f, 0xc7, 0x0f),                             /* cmpxchg16b (rdi) */
	ANY(0xff, 0x37),                                         /* push (rdi) */
	ANY(0x8f, 0x07),                                         /* pop (rdi) */
	ANY(0x0f, 0x11, 0x07),                                   /* movups xmm0, (rdi) */
	ANY(0x0f, 0x29, 0x07),                                   /* movaps xmm0, (rdi) */
	ANY(0xd9, 0x3f),                                         /* fnstcw (rdi) */
	ANY(0x0f, 0xae, 0x07),                                   /* fxsave (rdi) */
	ANY(0xf3, 0xaa),                                         /* rep stosb */
	ANY(0xf3, 0xa5),                                         /* rep movsd */
	ANY(0xf3, 0xa4),                                         /* rep movsb */
	ANY(0xff, 0x17),                                         /* call (rdi) */
	ANY(0xff, 0xe7),                                         /* jmp rdi */
	ANY(0x48, 0xff, 0x2f),                                   /* ljmp (rdi) */
	ANY(0x86, 0x27),                                         /* xchg ah, (rdi) */
	ANY(0x0f, 0xab, 0x07),                                   /* bts eax, (rdi) */
	ANY(0x0f, 0xae, 0x3f),                                   /* clflush (rdi) */
};
const unsigned nr_accesses = ARRAY_SIZE(accesses);

/* clang-format on */

u32 any_msr(struct mcpu *m)
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

/* MSRs that may be written without restoring them: the guest does not have them, or may not write
 * them. */
static u32 harmless_msr(struct mcpu *m)
{
	static const u32 msrs[] = {
		MSR_IA32_FEAT_CTL,
		MSR_IA32_SMM_MONITOR_CTL,
		MSR_IA32_VMX_BASIC,
		MSR_IA32_UCODE_WRITE,
		MSR_IA32_VMX_EXIT_CTLS,
		0x2000,
		0xbfffffff,
		0xc0002000,
		0x40000000,
		0x400000f0,
		0xffffffff,
	};

	if (under_hypervisor && one_in(m, 4))
		return one_in(m, 2) ? MSR_IA32_PEBS_ENABLE : MSR_IA32_RTIT_CTL;
	return msrs[rnd(m) % ARRAY_SIZE(msrs)];
}

static u64 any_cr0(struct mcpu *m, const struct place *p)
{
	u64 bit = BIT(rnd(m) % 64);

	/* In 64-bit mode a write to CR0 that leaves it faults. Elsewhere do not change the mode. */
	return p->bits == 64 ? p->cr0 ^ bit : (u32)p->cr0 ^ ((u32)bit & ~(u32)(CR0_PG | CR0_PE));
}

static u64 any_cr3(struct mcpu *m, const struct place *p)
{
	if (!(p->cr0 & CR0_PG))
		return any(m);
	if (p->bits == 64 && one_in(m, 2))
		return p->cr3 | BIT(40 + rnd(m) % 23);
	return p->cr3 ^ (rnd(m) & 0x18);
}

static u64 any_cr4(struct mcpu *m, const struct place *p)
{
	/* What would forbid us our own code and data, which are the user's, in the lower half. */
	u64 keep = p->long_mode ? CR4_SMEP | CR4_LASS : CR4_SMEP | CR4_SMAP | CR4_PAE | CR4_PSE;

	return p->cr4 ^ (BIT(rnd(m) % 64) & ~keep);
}

/* Put the operand of LGDT or LIDT into memory: the current table; in 64-bit mode at times with a
 * non-canonical address, which faults. */
static void put_table(struct mcpu *m, const struct place *p, struct operands *o, u64 base,
		      u16 limit)
{
	u8 *to = (u8 *)(p->bits == 16 ? o->bx + o->si : o->ax);

	if (p->bits == 64 && one_in(m, 2))
		base ^= BIT(62);
	memcpy(to, &limit, sizeof(limit));
	memcpy(to + sizeof(limit), &base, sizeof(base));
}

bool prepare_insn(struct mcpu *m, const struct insn *i, const struct place *p, struct operands *o)
{
	if (i->where & ONLY_64 && p->bits != 64)
		return false;
	if (i->where & NOT_64 && p->bits == 64)
		return false;
	if (i->where & ONLY_LEGACY && (p->long_mode || !p->protected))
		return false;
	/* With several CPUs, Bochs' MWAIT may miss its wake-up. */
	if (i->where & ONE_CPU && monkey_cpus > 1)
		return false;

	switch (i->with) {
	case WITH_CR0:
		o->ax = any_cr0(m, p);
		break;
	case WITH_CR3:
		o->ax = any_cr3(m, p);
		break;
	case WITH_CR4:
		o->ax = any_cr4(m, p);
		break;
	case WITH_DR: /* not GD: it would make the monkey's own next access fault */
		o->ax &= ~BIT(13);
		break;
	case WITH_LMSW:
		o->ax = (rnd(m) & 0xe) | (p->cr0 & CR0_PE);
		break;
	case WITH_SELECTOR:
		o->ax = rnd(m) % 4 ? rnd(m) % 256 : (u16)rnd(m);
		break;
	case WITH_SS: /* not null in ring 1 or 2: Bochs then saves SS.DPL as 0, and refuses it */
		if (!(o->ax & 0xfffc))
			o->ax &= ~3ull;
		break;
	case WITH_GDT:
		put_table(m, p, o, p->gdt, p->gdt_limit);
		break;
	case WITH_IDT:
		put_table(m, p, o, p->idt, p->idt_limit);
		break;
	case WITH_MSR:
		o->cx = any_msr(m);
		break;
	case WITH_MSR_TO_WRITE:
		o->cx = harmless_msr(m);
		break;
	case WITH_PORT:
		do
			o->dx = rnd(m) & 0xffff;
		while (!may_write_port(o->dx));
		o->cx = rnd(m) % 8;
		o->si = o->di = p->memory + 0x800;
		break;
	case WITH_LANDING:
		if (!one_in(m, 4) || !p->long_mode) {
			o->dx = p->landing;
			o->cx = p->bits == 64 ? p->landing : p->memory + 0x800;
		}
		break;
	case WITH_ANY:
	case WITH_FRAME:
	case WITH_TASK:
		break;
	}
	return true;
}
