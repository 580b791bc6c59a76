/* SPDX-License-Identifier: MIT */
/*
 * The way back into the firmware. See firmware.h.
 */
#include "arch/x86/firmware.h"
#include "arch/x86/cpu.h"
#include "arch/x86/early.h"
#include "arch/x86/paging.h"

#define CHECK(offset, member) \
	_Static_assert(offsetof(struct firmware_state, member) == (offset), #member)
CHECK(FIRMWARE_RSP, rsp);
CHECK(FIRMWARE_RIP, rip);
CHECK(FIRMWARE_RFLAGS, rflags);
CHECK(FIRMWARE_CR0, cr0);
CHECK(FIRMWARE_CR3, cr3);
CHECK(FIRMWARE_CR4, cr4);
CHECK(FIRMWARE_EFER, efer);
CHECK(FIRMWARE_DR7, dr7);
CHECK(FIRMWARE_FS_BASE, fs_base);
CHECK(FIRMWARE_GS_BASE, gs_base);
CHECK(FIRMWARE_GDTR, gdt_limit);
CHECK(FIRMWARE_IDTR, idt_limit);
CHECK(FIRMWARE_SELECTORS, selectors);
CHECK(FIRMWARE_BACK, back);
CHECK(FIRMWARE_PAT, pat);
CHECK(FIRMWARE_S_CET, s_cet);
CHECK(FIRMWARE_SSP, ssp);
CHECK(FIRMWARE_SSP_TABLE, ssp_table);

bool firmware_can_leave(const struct firmware_state *state)
{
	/* LA57 can only be set with paging off; the others, in steps that natively
	 * (boot/efi/switch.S) does not make. */
	return !(state->cr4 & (CR4_LA57 | CR4_CET | CR4_PCIDE));
}

void firmware_leave(const struct firmware_state *state, u64 result)
{
	/* The boot page tables map the code one to one, but not this stack. */
	asm volatile("mov %0, %%cr3\n\tjmp *%1"
		     :
		     : "r"(virt_to_phys(boot_pml4)), "r"(state->back), "D"(virt_to_phys(state)),
		       "S"(result)
		     : "memory");
	__builtin_unreachable();
}
