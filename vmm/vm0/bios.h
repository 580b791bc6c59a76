/* SPDX-License-Identifier: MIT */
/*
 * The machine's own BIOS, at work in the guest: its services, called by us before the guest starts,
 * and what the guest will hear from it about memory.
 */
#ifndef GH_VMM_VM0_BIOS_H
#define GH_VMM_VM0_BIOS_H

#include "vmm/vm.h"

/* In and out: what a service takes and returns. Segment registers are 0 but for ES. */
struct bios_regs {
	u32 eax, ebx, ecx, edx, esi, edi;
	u16 es;
	bool carry; /* out: most services' sign of failure */
};

/* Is there a BIOS? Not so on a machine that UEFI started: its interrupt table is empty. */
bool bios_present(struct vm *vm);

/*
 * Make @vm's guest one of the BIOS: a page or two at the end of conventional memory get a handler
 * of INT 15h, by which our memory is reserved in the E820 map, and with the word at 40:13 and @vm's
 * own map nobody else uses them. Once, before anything else is put into conventional memory.
 * Returns 0; -ENOSPC without room there; -ENODEV when there is no BIOS (the interrupt table is
 * empty).
 */
int bios_init(struct vm *vm);

/* Where conventional memory that is the guest's ends: an address below A0000h. */
u32 bios_memory_end(struct vm *vm);

/*
 * Have the guest carry out INT @number on @vcpu, which must be loaded on this CPU, with interrupts
 * on, in real mode. All of its registers are lost. Memory from 7C00h on is untouched but by what
 * the service itself does. Returns 0; -EOPNOTSUPP when the CPU cannot run real mode as a guest,
 * which is said; or -EIO when the guest stopped.
 */
int bios_call(struct vcpu *vcpu, u8 number, struct bios_regs *regs);

/* The guest has executed VMCALL: is it the end of a bios_call()? */
bool bios_call_ends(struct vcpu *vcpu);

#endif
