/* SPDX-License-Identifier: MIT */
/*
 * The machine's own BIOS, which runs in the guest: Glasshouse calls its services before the guest
 * starts, and replaces the memory map that the guest gets from it.
 */
#ifndef GH_VMM_VM0_BIOS_H
#define GH_VMM_VM0_BIOS_H

#include "vmm/vm.h"

/* The arguments and results of a BIOS service. The other segment registers are 0 at the call. */
struct bios_regs {
	u32 eax, ebx, ecx, edx, esi, edi;
	u16 es;
	bool carry; /* result: the carry flag, which most services set on failure */
};

/* Is there a BIOS? Otherwise the machine booted by UEFI, or the interrupt table is empty. */
bool bios_present(struct vm *vm);

/*
 * Prepare @vm for a guest that uses the BIOS: install a resident INT 15h handler, whose E820 map
 * reserves Glasshouse's memory, at the end of conventional memory. The handler's pages are reserved
 * in @vm's memory map and by the BIOS data area's memory size (40:13). To be called once, before
 * anything else is loaded into conventional memory. Returns 0, -ENOSPC if there is no room, or
 * -ENODEV if there is no BIOS, both of which are logged; or another negative error.
 */
int bios_init(struct vm *vm);

/* Returns the end of the guest's conventional memory according to the BIOS data area: at most
 * A0000h, in bytes. */
u32 bios_memory_end(struct vm *vm);

/*
 * Run INT @number in the guest on @vcpu, which must be loaded on this CPU: in real mode, with
 * interrupts enabled. All registers of @vcpu are lost. Of memory from 7C00h on, only the service
 * itself changes anything. @regs: arguments, then results. Returns 0; -EFAULT, with @vcpu as it
 * was, if bios_init()'s resident segment cannot be written; or -EIO if the guest could not
 * continue.
 */
int bios_call(struct vcpu *vcpu, u8 number, struct bios_regs *regs);

/* Is the VMCALL that @vcpu's guest has executed the end of bios_call()'s thunk? */
bool bios_call_ends(struct vcpu *vcpu);

#endif
