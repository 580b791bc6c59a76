// SPDX-License-Identifier: MIT
/*
 * Extensions of newer CPUs, where CPUID offers them: they work in a guest as on the CPU itself, and
 * what they keep is kept across an exit. SDM: "User-Level Wait Instructions" (WAITPKG), "Protection
 * Keys", "Control-flow Enforcement Technology (CET)", "User Interrupts".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"

#define MSR_UMWAIT_CONTROL 0xe1
#define MSR_PL0_SSP        0x6a4
#define S_CET_SH_STK_EN    1
#define PKEY               1
#define PKRS_AD(key)       BIT(2 * (key))
#define PTE_PKEY(key)      ((u64)(key) << 59)
#define PTE_SUPERVISOR_RW  3ull
#define PTE_SHADOW_STACK   0x41ull /* present, dirty, not writable, the supervisor's */

static u8 page[4096] __aligned(4096);

static void check_waitpkg(void)
{
	static u64 line[8] __aligned(64);

	ok(TRY("xor %%eax, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; tpause %%ecx",
	       :
	       :
	       : "r11", "rax", "rcx", "rdx", "cc") == NO_TRAP,
	   "TPAUSE to a time that is past");
	ok(TRY("umonitor %0; xor %%eax, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; umwait %%ecx",
	       :
	       : "r"(line)
	       : "r11", "rax", "rcx", "rdx", "cc") == NO_TRAP,
	   "UMWAIT to a time that is past");
	ok(TRY("xor %%eax, %%eax; xor %%edx, %%edx; mov $2, %%ecx; tpause %%ecx",
	       :
	       :
	       : "r11", "rax", "rcx", "rdx", "cc") == GP_VECTOR,
	   "TPAUSE with a reserved bit is #GP");
	/* Bochs takes reserved bits here, and in IA32_PKRS. */
	check_msr_bits("IA32_UMWAIT_CONTROL", MSR_UMWAIT_CONTROL, ~0ull, 0);
}

/* A supervisor page with a key that forbids access. */
static void check_pks(void)
{
	u64 vector, error;
	bool kept;

	set_page(0, (u64)page | PTE_SUPERVISOR_RW | PTE_PKEY(PKEY));
	write_cr4(read_cr4() | CR4_PKS);
	wrmsr(MSR_IA32_PKRS, PKRS_AD(PKEY));
	cpuid(0, 0);
	vector = TRY("movb (%0), %%al", : : "r"(TEST_PAGES) : "r11", "rax", "memory");
	error = trap.error;
	kept = rdmsr(MSR_IA32_PKRS) == PKRS_AD(PKEY);
	wrmsr(MSR_IA32_PKRS, 0);
	ok(vector == PF_VECTOR && error == (PF_ERROR_P | PF_ERROR_PK),
	   "PKS: a key that forbids access is #PF");
	ok(kept, "PKS: IA32_PKRS is kept across an exit");
	ok(TRY("movb (%0), %%al",
	       :
	       : "r"(TEST_PAGES)
	       : "r11", "rax", "memory") == NO_TRAP,
	   "PKS: and access is allowed again");
	check_msr_bits("IA32_PKRS", MSR_IA32_PKRS, GENMASK(63, 2), 0);
	write_cr4(read_cr4() & ~CR4_PKS);
	set_page(0, 0);
}

/*
 * A call on a shadow stack, with an exit inside. The stack is at the page's end, its token there;
 * SETSSBSY makes it the current one. Returns the shadow stack pointer inside the call.
 */
static u64 call_on_shadow_stack(void)
{
	u64 inside;

	asm volatile("wrmsr\n\t"
		     "setssbsy\n\t"
		     "call 1f\n\t"
		     "jmp 2f\n"
		     "1:	xor %%eax, %%eax\n\t"
		     "cpuid\n\t"
		     "rdsspq %%rdi\n\t"
		     "ret\n"
		     "2:	mov %2, %%ecx\n\t"
		     "xor %%eax, %%eax\n\t"
		     "xor %%edx, %%edx\n\t"
		     "wrmsr"
		     : "=&D"(inside)
		     : "a"(S_CET_SH_STK_EN), "i"(MSR_IA32_S_CET), "c"(MSR_IA32_S_CET), "d"(0)
		     : "rbx", "cc", "memory");
	return inside;
}

static void check_shadow_stack(void)
{
	volatile u64 *token = (u64 *)(page + sizeof(page) - 8);
	u64 top = TEST_PAGES + sizeof(page) - 8, cr0 = read_cr0(), inside;

	*token = top;
	set_page(0, (u64)page | PTE_SHADOW_STACK);
	write_cr0(cr0 | CR0_WP);
	write_cr4(read_cr4() | CR4_CET);
	wrmsr(MSR_PL0_SSP, top);
	inside = call_on_shadow_stack();
	ok(inside == top - 8, "CET: a call pushes to the shadow stack, and its return is the same");
	ok(*token == (top | 1), "CET: the shadow stack is busy");
	ok(TRY("movb $0, (%0)",
	       :
	       : "r"(TEST_PAGES)
	       : "r11", "memory") == PF_VECTOR,
	   "CET: nobody else writes there");
	wrmsr(MSR_PL0_SSP, 0);
	write_cr4(read_cr4() & ~CR4_CET);
	write_cr0(cr0);
	set_page(0, 0);
	check_msr_bits("IA32_S_CET", MSR_IA32_S_CET, GENMASK(63, 3), GENMASK(9, 6));
}

/* The flag for user interrupts is the guest's own. */
static void check_user_interrupts(void)
{
	u8 set, clear;

	write_cr4(read_cr4() | CR4_UINTR);
	asm volatile("stui\n\t"
		     "xor %%eax, %%eax\n\t"
		     "cpuid\n\t"
		     "testui\n\t"
		     "setc %0\n\t"
		     "clui\n\t"
		     "xor %%eax, %%eax\n\t"
		     "cpuid\n\t"
		     "testui\n\t"
		     "setc %1"
		     : "=m"(set), "=m"(clear)
		     :
		     : "rax", "rbx", "rcx", "rdx", "cc");
	write_cr4(read_cr4() & ~CR4_UINTR);
	ok(set == 1 && clear == 0, "UINTR: STUI and CLUI hold across an exit");
	ok(TRY("stui", : : : "r11") == UD_VECTOR, "UINTR: #UD without CR4.UINTR");
}

void check_extensions(void)
{
	struct cpuid_regs seven = cpuid(7, 0);

	if (seven.ecx & BIT(5))
		check_waitpkg();
	if (seven.ecx & BIT(31))
		check_pks();
	if (seven.ecx & BIT(7))
		check_shadow_stack();
	if (seven.edx & BIT(5))
		check_user_interrupts();
	if (seven.edx & BIT(14))
		ok(TRY("serialize", : : : "r11", "memory") == NO_TRAP, "SERIALIZE");
}
