// SPDX-License-Identifier: MIT
/*
 * Control registers and XCR0. SDM: "Control Registers", "Extended Control Registers (Including
 * XCR0)".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"

#define TRY_CR(n, value) TRY("mov %0, %%cr" #n, : : "r"((u64)(value)) : "r11", "memory")

static void check_cr0(unsigned cpu)
{
	u64 cr0 = read_cr0() & ~(CR0_CD | CR0_NW);

	write_cr0(cr0);
	ok(TRY_CR(0, cr0 & ~CR0_PE) == GP_VECTOR, "cpu %u: CR0.PG without PE is #GP", cpu);
	ok(TRY_CR(0, cr0 | CR0_NW) == GP_VECTOR, "cpu %u: CR0.NW without CD is #GP", cpu);
	ok(TRY_CR(0, cr0 | BIT(32)) == GP_VECTOR, "cpu %u: bit 32 of CR0 is #GP", cpu);
	ok(TRY_CR(0, cr0 | CR0_NE) == NO_TRAP && read_cr0() & CR0_NE, "cpu %u: CR0.NE can be set",
	   cpu);
	ok(TRY_CR(0, cr0 & ~CR0_NE) == NO_TRAP && !(read_cr0() & CR0_NE),
	   "cpu %u: CR0.NE can be cleared", cpu);
	ok(TRY_CR(0, cr0 | CR0_CD) == NO_TRAP && read_cr0() & CR0_CD, "cpu %u: CR0.CD can be set",
	   cpu);
	ok(TRY_CR(0, cr0 & ~CR0_CD) == NO_TRAP && !(read_cr0() & CR0_CD),
	   "cpu %u: CR0.CD can be cleared", cpu);
	ok(TRY_CR(0, cr0 | CR0_TS) == NO_TRAP && read_cr0() & CR0_TS, "cpu %u: CR0.TS can be set",
	   cpu);
	ok(TRY("clts",
	       :
	       :
	       : "r11", "memory") == NO_TRAP &&
		   !(read_cr0() & CR0_TS),
	   "cpu %u: CLTS clears it", cpu);
	ok(TRY("lmsw %w0",
	       :
	       : "r"(cr0 | CR0_MP)
	       : "r11", "memory") == NO_TRAP &&
		   read_cr0() & CR0_MP,
	   "cpu %u: LMSW sets MP", cpu);
	write_cr0(cr0);
}

static void check_cr4(unsigned cpu)
{
	u64 cr4 = read_cr4();

	if (under_hypervisor)
		ok(TRY_CR(4, cr4 | CR4_VMXE) == GP_VECTOR, "cpu %u: CR4.VMXE is #GP", cpu);
	else
		skip("no hypervisor", "cpu %u: CR4.VMXE is #GP", cpu);
	if (under_hypervisor) {
		struct cpuid_regs seven = {0};

		if (cpuid(0, 0).eax >= 7)
			seven = cpuid(7, 0);
		ok(TRY_CR(4, cr4 | CR4_SMXE) == GP_VECTOR, "cpu %u: CR4.SMXE is #GP", cpu);
		ok(TRY_CR(4, cr4 | CR4_FRED) == GP_VECTOR, "cpu %u: CR4.FRED is #GP", cpu);
		ok(seven.ecx & BIT(31) || TRY_CR(4, cr4 | CR4_PKS) == GP_VECTOR,
		   "cpu %u: CR4.PKS is #GP, if CPUID does not have it", cpu);
		ok((seven.ecx & BIT(7)) | (seven.edx & BIT(20)) ||
			   TRY_CR(4, cr4 | CR4_CET) == GP_VECTOR,
		   "cpu %u: CR4.CET is #GP, if CPUID does not have it", cpu);
	} else {
		for (unsigned i = 0; i < 4; i++)
			skip("no hypervisor", "cpu %u: CR4 has no bits of hidden features", cpu);
	}
	ok(!(cr4 & CR4_VMXE), "cpu %u: CR4.VMXE reads as clear", cpu);
	ok(TRY_CR(4, cr4 | BIT(31)) == GP_VECTOR, "cpu %u: a reserved bit of CR4 is #GP", cpu);
	ok(TRY_CR(4, cr4 & ~CR4_PAE) == GP_VECTOR, "cpu %u: CR4.PAE clear in long mode is #GP",
	   cpu);
	ok(TRY_CR(4, cr4 | CR4_PGE) == NO_TRAP && read_cr4() == (cr4 | CR4_PGE),
	   "cpu %u: CR4.PGE can be set", cpu);
	ok(TRY_CR(4, cr4) == NO_TRAP && read_cr4() == cr4, "cpu %u: CR4 can be restored", cpu);
}

static void check_cr3_cr8(unsigned cpu)
{
	u64 cr3 = read_cr3(), cr8;

	ok(TRY_CR(3, cr3 | BIT(52)) == GP_VECTOR, "cpu %u: bit 52 of CR3 is #GP", cpu);
	ok(TRY_CR(3, cr3) == NO_TRAP && read_cr3() == cr3, "cpu %u: CR3 can be loaded", cpu);
	ok(TRY_CR(8, 16) == GP_VECTOR, "cpu %u: bit 4 of CR8 is #GP", cpu);
	TRY_CR(8, 5);
	asm volatile("mov %%cr8, %0" : "=r"(cr8));
	ok(cr8 == 5 && apic_read(0x80) == 0x50, "cpu %u: CR8 is the APIC's task priority", cpu);
	TRY_CR(8, 0);
}

static u64 try_xsetbv(u32 index, u64 value)
{
	return TRY("xsetbv",
		   :
		   : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
		   : "r11", "memory");
}

static void check_xcr0(unsigned cpu)
{
	u64 cr4 = read_cr4();
	u32 low, high;

	if (!(cpuid(1, 0).ecx & BIT(26))) {
		for (unsigned i = 0; i < 6; i++)
			skip("no XSAVE", "cpu %u: XSETBV", cpu);
		return;
	}
	write_cr4(cr4 & ~CR4_OSXSAVE);
	ok(try_xsetbv(0, 1) == UD_VECTOR, "cpu %u: XSETBV without CR4.OSXSAVE is #UD", cpu);
	write_cr4(cr4 | CR4_OSXSAVE);
	ok(try_xsetbv(0, 2) == GP_VECTOR, "cpu %u: XCR0 without x87 is #GP", cpu);
	ok(try_xsetbv(0, 5) == GP_VECTOR, "cpu %u: XCR0 with AVX, without SSE is #GP", cpu);
	ok(try_xsetbv(0, BIT(62) | 1) == GP_VECTOR, "cpu %u: a reserved bit of XCR0 is #GP", cpu);
	ok(try_xsetbv(1, 1) == GP_VECTOR, "cpu %u: XCR1 is #GP", cpu);
	try_xsetbv(0, 3);
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	ok(low == 3 && high == 0, "cpu %u: XCR0 keeps x87 and SSE", cpu);
	try_xsetbv(0, 1);
	write_cr4(cr4);
}

void check_control_registers(unsigned cpu)
{
	check_cr0(cpu);
	check_cr4(cpu);
	check_cr3_cr8(cpu);
	check_xcr0(cpu);
	ok(TRY("wbinvd", : : : "r11", "memory") == NO_TRAP, "cpu %u: WBINVD", cpu);
	ok(TRY("invd", : : : "r11", "memory") == NO_TRAP, "cpu %u: INVD", cpu);
}
