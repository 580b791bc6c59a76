/* SPDX-License-Identifier: MIT */
/*
 * The states in which a guest starts, one function for each mode of the CPU.
 */
#ifndef GH_START_H
#define GH_START_H

#include "vmm/vcpu.h"

/*
 * Each of these puts all registers of @vcpu, which must be loaded on this CPU, into a known state:
 * general registers 0, RFLAGS 2 (interrupts off), caches on. Segments reach 4 GiB, but for real
 * mode.
 */

/* 0; or -EOPNOTSUPP without "unrestricted guest", said in words: @mode is what needs it. */
int need_unrestricted_guest(const char *mode);

/*
 * Real mode, as the firmware leaves it: @cs:@ip, the other segments 0, limits FFFFh, the interrupt
 * table at 0, SP = 7C00h. Returns 0, or -EOPNOTSUPP without "unrestricted guest", said in words.
 */
int start_real_mode(struct vcpu *vcpu, u16 cs, u16 ip);

/* After that, with interrupts on, as the firmware starts a boot sector. */
void start_enable_interrupts(struct vcpu *vcpu);

/*
 * 32-bit protected mode without paging, flat segments: CS 10h, the others 18h, which only live in
 * the registers (there is no GDT). RIP = @eip, RSP = 0. Returns as start_real_mode().
 */
int start_protected_mode(struct vcpu *vcpu, u32 eip);

/*
 * 64-bit mode: RIP = @rip; page tables at @cr3 and a GDT with CS 10h and DS 18h at @gdt (limit
 * @gdt_limit), both guest-physical and written by the caller, see vmm/x86/long_mode.h. RSP = 0.
 */
void start_long_mode(struct vcpu *vcpu, u64 rip, u64 cr3, u64 gdt, u16 gdt_limit);

#endif
