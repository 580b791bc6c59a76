/* SPDX-License-Identifier: MIT */
/*
 * Set up a vCPU to start a guest: one function per CPU mode. SDM: "Processor Management and
 * Initialization".
 */
#ifndef GH_START_H
#define GH_START_H

#include "arch/x86/firmware.h"
#include "vmm/vcpu.h"

/*
 * Each of these initializes all registers of @vcpu, which must be loaded on this CPU: general
 * registers 0, RFLAGS 2 (interrupts off), caches on. Segment limits are 4 GiB, except in real mode.
 */

/* The state in which the CPU came from the firmware: the guest continues where the firmware stood,
 * with RAX and the other general registers 0. */
void start_firmware_state(struct vcpu *vcpu, const struct firmware_state *state);

/*
 * Real mode, as after the firmware: RIP = @cs:@ip, the other segments 0, limits FFFFh, the
 * interrupt table at 0, SP = 7C00h.
 */
void start_real_mode(struct vcpu *vcpu, u16 cs, u16 ip);

/* After start_real_mode(): enable interrupts, as the firmware does for a boot sector. */
void start_enable_interrupts(struct vcpu *vcpu);

/*
 * 32-bit protected mode without paging, flat segments: CS 10h, the others 18h. The segments are
 * only in the registers: there is no GDT. RIP = @eip, RSP = 0.
 */
void start_protected_mode(struct vcpu *vcpu, u32 eip);

/*
 * 64-bit mode: RIP = @rip, RSP = 0, page tables at @cr3, a GDT with CS 10h and DS 18h at @gdt, of
 * limit @gdt_limit (bytes - 1). The caller writes both into guest memory (vmm/x86/long_mode.h);
 * their addresses are guest-physical.
 */
void start_long_mode(struct vcpu *vcpu, u64 rip, u64 cr3, u64 gdt, u16 gdt_limit);

#endif
