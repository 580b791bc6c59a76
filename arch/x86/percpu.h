/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has of its own. GS.base points at it, in root mode always.
 */
#ifndef GH_PERCPU_H
#define GH_PERCPU_H

#include "arch/x86/layout.h"
#include "bits.h"

#define MAX_CPUS        256
#define CPU_STACK_PAGES 4

struct vcpu;

/* SDM: "64-Bit Mode Task State Segment". */
struct tss64 {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
} __packed;

struct cpu {
	struct cpu *self;  /* what %gs:0 reads; checked in smp.c */
	struct vcpu *vcpu; /* whose guest this CPU runs, NULL before there is one */
	u32 id;            /* 0 is the boot CPU */
	u32 apic_id;       /* of its local APIC */
	u64 stack_top;     /* linear address */
	void *virt_area;   /* memory that hardware_enable() gives to the CPU (KVM: vmxarea) */
	bool online;       /* it has reached C and its own stack */
	bool virt_on;      /* hardware_enable() done: virtualisation is switched on */
	u64 gdt[GDT_ENTRIES];
	struct tss64 tss;
};

extern struct cpu *cpus[MAX_CPUS]; /* [id]; the first nr_cpus are there */
extern unsigned nr_cpus;

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

#define for_each_cpu(cpu) for (unsigned i_ = 0; i_ < nr_cpus && ((cpu) = cpus[i_], true); i_++)

#endif
