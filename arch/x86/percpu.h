/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU data. In root mode GS.base always points to the CPU's struct cpu.
 */
#ifndef GH_PERCPU_H
#define GH_PERCPU_H

#include "arch/x86/layout.h"
#include "bits.h"

#define MAX_CPUS        1024
#define CPU_STACK_PAGES 4

struct firmware_state;
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
	struct cpu *self;  /* for this_cpu(), at %gs:0; checked in smp.c */
	struct vcpu *vcpu; /* the vCPU that runs on this CPU, NULL until it is created */
	u64 dr6;           /* while TF is set in root mode: DR6 without what its #DBs change */
	u64 launched;      /* time-stamp counter when its guest was entered first */
	u32 id;            /* 0 is the boot CPU */
	u32 apic_id;       /* of its local APIC */
	u64 stack_top;     /* linear address */
	void *virt_area;   /* memory for hardware_enable(): VT-x's VMXON region (KVM: vmxarea) */
	/* The state in which it came from the firmware, which its guest continues in; NULL: none */
	const struct firmware_state *firmware;
	u64 guest_pat; /* IA32_PAT as it was before Glasshouse's: the guest's at its start */
	bool parked;   /* the user does not want it: it runs no guest, or the firmware only */
	bool online;   /* it runs C code on its own stack */
	bool virt_on;  /* hardware_enable() has enabled virtualisation */
	bool apic_off; /* its guest has switched its local APIC off, which then takes no NMI */
	u64 gdt[GDT_ENTRIES];
	struct tss64 tss;
};

extern struct cpu *cpus[MAX_CPUS]; /* by id; the first nr_cpus exist */
extern unsigned nr_cpus;

/* The struct cpu of the current CPU. Valid after desc_load(). */
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Write DR6, which the guest shares with Glasshouse. */
static inline void write_dr6(u64 value)
{
	this_cpu()->dr6 = value;
	asm volatile("mov %0, %%dr6" : : "r"(value) : "memory");
}

/* Run the loop body for each existing CPU, in the order of ids, whether it is online or not. */
#define for_each_cpu(cpu) for (unsigned i_ = 0; i_ < nr_cpus && ((cpu) = cpus[i_], true); i_++)

#endif
