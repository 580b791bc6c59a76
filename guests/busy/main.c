// SPDX-License-Identifier: MIT
/*
 * All CPUs execute, again and again, what a hypervisor may intercept, and check what each
 * instruction does; the first CPU also causes exceptions and interrupts. It prints where "stop" is:
 * a byte that ends it when somebody writes a 1 there. Then it tells how often each instruction did
 * something wrong.
 *
 * Command line:
 *   cpus=N    number of CPUs
 *   rounds=N  end after so many rounds of the first CPU in any case
 *   say=1     print each page fault: address and error code
 *   spin=1    PAUSE in a loop, too
 *   plain=1   no exceptions and interrupts but those that somebody injects
 *   storm=N   only RDTSC and a store to 32 MiB, with a timer interrupt every N ticks
 *   end=1     end at once when something is wrong
 *
 * It also prints when the answers of CPUID and RDMSR change.
 */
#include "guests/lib/guest.h"
#include "guests/lib/random.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"

#define SOFT_VECTOR 0x21
#define DATA_PAGE   0x2000000ull /* memory that tests may map: a page for each CPU */
#define PAGE(cpu)   (DATA_PAGE + (cpu)*8192ull)

struct table {
	u16 limit;
	u64 base;
} __packed;

static volatile u8 stop;
static bool says, spins;
static bool has_rdpmc, has_mwait; /* the latter with interrupts that end it while IF is 0 */

static bool check_cr0(unsigned cpu)
{
	u64 cr0 = read_cr0(), now;

	(void)cpu;
	write_cr0(cr0 | CR0_TS);
	now = read_cr0();
	asm volatile("clts");
	return now == (cr0 | CR0_TS) && read_cr0() == (cr0 & ~CR0_TS);
}

static bool check_lmsw(unsigned cpu)
{
	u64 cr0 = read_cr0(), now;

	(void)cpu;
	asm volatile("lmsw %0" : : "r"((u16)(cr0 ^ CR0_MP)));
	now = read_cr0();
	write_cr0(cr0);
	return now == (cr0 ^ CR0_MP) && read_cr0() == cr0;
}

static bool check_cr4(unsigned cpu)
{
	u64 cr4 = read_cr4(), now;

	(void)cpu;
	write_cr4(cr4 ^ CR4_DE);
	now = read_cr4();
	write_cr4(cr4);
	return now == (cr4 ^ CR4_DE) && read_cr4() == cr4;
}

static bool check_cr3(unsigned cpu)
{
	u64 cr3 = read_cr3();

	(void)cpu;
	write_cr3(cr3);
	return read_cr3() == cr3;
}

static bool check_cr8(unsigned cpu)
{
	u64 five = 5, now;

	(void)cpu;
	asm volatile("mov %1, %%cr8\n\tmov %%cr8, %0\n\tmov %2, %%cr8"
		     : "=&r"(now)
		     : "r"(five), "r"(0ull));
	return now == 5;
}

static bool check_dr(unsigned cpu)
{
	u64 value = 0x123456789000 + cpu, now;

	write_dr3(value);
	now = read_dr3();
	write_dr3(0);
	return now == value;
}

static bool check_tables(unsigned cpu)
{
	struct table gdt, idt, again;
	u16 ldt, task;

	(void)cpu;
	asm volatile("sgdt %0\n\tsidt %1" : "=m"(gdt), "=m"(idt));
	asm volatile("lgdt %0\n\tlidt %1\n\tlldt %w2" : : "m"(gdt), "m"(idt), "r"(0));
	asm volatile("sgdt %0\n\tsldt %1\n\tstr %2" : "=m"(again), "=r"(ldt), "=r"(task));
	return gdt.base == again.base && gdt.limit == again.limit && idt.limit == 64 * 16 - 1 &&
	       !ldt && !task;
}

/*
 * The time stamp never goes back, and never far ahead: a wrong offset, or a
 * half of the wrong reading, would show in the upper bits. It does go on while
 * the monitor holds this CPU between two of these instructions, for as long as
 * a person (or a test on a busy machine) takes.
 */
static bool check_tsc(unsigned cpu)
{
	u64 first = rdtsc(), low, high;

	(void)cpu;
	asm volatile("rdtscp" : "=a"(low), "=d"(high) : : "rcx");
	asm volatile("pause\n\tpause\n\tpause");
	return (high << 32 | low) >= first && rdtsc() >= (high << 32 | low) &&
	       rdtsc() - first < BIT(40);
}

/* As one CPU waits for another. */
static bool check_pause_loop(unsigned cpu)
{
	u64 n = 2000;

	(void)cpu;
	if (!spins)
		return true;
	asm volatile("1:\tpause\n\tdec %0\n\tjnz 1b" : "+r"(n) : : "cc");
	return !n;
}

static bool check_invlpg(unsigned cpu)
{
	volatile u64 *data = (u64 *)(TEST_PAGES + cpu * 4096), first, second;

	*(volatile u64 *)PAGE(cpu) = 1;
	*(volatile u64 *)(PAGE(cpu) + 4096) = 2;
	set_page(cpu, PAGE(cpu) | 3);
	first = *data;
	set_page(cpu, (PAGE(cpu) + 4096) | 3);
	second = *data;
	set_page(cpu, 0);
	return first == 1 && second == 2;
}

static bool check_wbinvd(unsigned cpu)
{
	volatile u64 *data = (u64 *)PAGE(cpu);

	*data = 0x5a5a;
	asm volatile("wbinvd" : : : "memory");
	return *data == 0x5a5a;
}

static bool check_port(unsigned cpu)
{
	(void)cpu;
	outb(0x80, 0x5a);
	return inb(0x21) == 0xff && inb(0xa1) == 0xff;
}

static bool check_msrs(unsigned cpu)
{
	u64 value = 0xffff800000001000 + cpu, a, b, c;

	wrmsr(MSR_KERNEL_GS_BASE, value);
	wrmsr(MSR_FS_BASE, value + 8);
	wrmsr(MSR_IA32_SYSENTER_EIP, value + 16);
	a = rdmsr(MSR_KERNEL_GS_BASE);
	b = rdmsr(MSR_FS_BASE);
	c = rdmsr(MSR_IA32_SYSENTER_EIP);
	wrmsr(MSR_FS_BASE, 0);
	return a == value && b == value + 8 && c == value + 16 && rdmsr(MSR_EFER) & EFER_LMA;
}

static bool check_rdpmc(unsigned cpu)
{
	u32 low, high;

	(void)cpu;
	if (!has_rdpmc)
		return true;
	asm volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(0));
	return true; /* what it counts is not known: that it does not fault is what counts */
}

static bool check_strings(unsigned cpu)
{
	u64 to = PAGE(cpu), count = 100;

	asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0x77) : "memory");
	return !count && to == PAGE(cpu) + 100 && *(u8 *)(PAGE(cpu) + 99) == 0x77;
}

static bool check_flags(unsigned cpu)
{
	u64 a, b, c;

	(void)cpu;
	asm volatile("pushfq\n\tpop %0\n\tsti\n\tpushfq\n\tcli\n\tpop %1\n\tmov %%ss, %%eax\n\t"
		     "mov %%eax, %%ss\n\tpushfq\n\tpop %2"
		     : "=&r"(a), "=&r"(b), "=&r"(c)
		     :
		     : "rax", "memory");
	return !((a | b | c) & RFLAGS_TF) && !(a & RFLAGS_IF) && b & RFLAGS_IF && !(c & RFLAGS_IF);
}

static bool check_iret(unsigned cpu)
{
	u64 flags;

	(void)cpu;
	asm volatile(
		"mov %%ss, %%eax\n\tmov %%rsp, %%rdx\n\tpush %%rax\n\tpush %%rdx\n\t"
		"pushfq\n\tmov %%cs, %%eax\n\tpush %%rax\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\t"
		"iretq\n\t1: pushfq\n\tpop %0"
		: "=r"(flags)
		:
		: "rax", "rdx", "memory");
	return !(flags & (RFLAGS_TF | RFLAGS_IF));
}

static bool check_syscall(unsigned cpu)
{
	u64 flags, next, back;

	(void)cpu;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, 0x10ull << 32);
	wrmsr(MSR_SYSCALL_MASK, RFLAGS_TF | RFLAGS_IF);
	asm volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, %%rdx\n\tshr $32, %%rdx\n\t"
		     "mov $0xc0000082, %%ecx\n\twrmsr\n\tlea 2f(%%rip), %2\n\tsyscall\n\t2: ud2\n\t"
		     "1: syscall_entry: mov %%rcx, %1\n\tmov %%r11, %0"
		     : "=&r"(flags), "=&r"(back), "=&r"(next)
		     :
		     : "rax", "rcx", "rdx", "r11", "memory");
	return back == next && !(flags & (RFLAGS_TF | RFLAGS_IF | RFLAGS_RF));
}

/* ---- On the first CPU only: its exceptions and interrupts ---------------------------------------
 */

static u64 faults;

static u64 random(void)
{
	static u64 state = 0x9e3779b97f4a7c15;

	return xorshift64(&state);
}

/* A page fault of a random kind at a random address. SDM: "Page-Fault Exceptions". */
static bool check_fault(unsigned cpu)
{
	static const struct {
		u64 entry;
		bool write;
		u64 error;
	} kinds[] = {
		{0, false, 0},
		{0, true, PF_ERROR_W},
		{DATA_PAGE | 1, true, PF_ERROR_P | PF_ERROR_W},
		{DATA_PAGE | BIT(51) | 3, false, PF_ERROR_P | PF_ERROR_RSVD},
		{DATA_PAGE | BIT(51) | 3, true, PF_ERROR_P | PF_ERROR_W | PF_ERROR_RSVD},
	};
	unsigned page = 16 + random() % 400, kind = random() % ARRAY_SIZE(kinds);
	u64 address = TEST_PAGES + page * 4096ull + random() % 4096, vector;

	(void)cpu;
	write_cr0(read_cr0() | CR0_WP);
	set_page(page, kinds[kind].entry);
	if (kinds[kind].write)
		vector = TRY("movb $1, (%0)", : : "r"(address) : "r11", "memory");
	else
		vector = TRY("movb (%0), %%al", : : "r"(address) : "rax", "r11", "memory");
	set_page(page, 0);
	write_cr0(read_cr0() & ~CR0_WP);
	faults++;
	if (says)
		say("fault %llx %llx\n", (unsigned long long)address,
		    (unsigned long long)kinds[kind].error);
	return vector == PF_VECTOR && trap.cr2 == address && trap.error == kinds[kind].error;
}

static bool check_exceptions(unsigned cpu)
{
	u64 bp = 0, next = 0;
	bool good = TRY("ud2", : : : "r11", "memory") == UD_VECTOR;

	(void)cpu;
	good &= TRY("xor %%edx, %%edx\n\txor %%ecx, %%ecx\n\tdiv %%ecx",
		    :
		    :
		    : "r11", "rax", "rcx", "rdx", "cc", "memory") == DE_VECTOR;
	good &= TRY("mov %%eax, %%ds",
		    :
		    : "a"(0x78)
		    : "r11", "memory") == GP_VECTOR &&
		trap.error == 0x78;
	asm volatile("lea 1f(%%rip), %0\n\tint3\n1:" : "=r"(next) : : "memory");
	bp = trap.rip;
	return good && trap.vector == BP_VECTOR && bp == next;
}

static bool check_int(unsigned cpu)
{
	u64 count = trap.count, next;

	(void)cpu;
	asm volatile("lea 1f(%%rip), %0\n\tint $0x21\n1:" : "=r"(next) : : "memory");
	return trap.count == count + 1 && trap.vector == SOFT_VECTOR && trap.rip == next &&
	       !(trap.rflags & (RFLAGS_TF | RFLAGS_IF));
}

static bool check_step(unsigned cpu)
{
	(void)cpu;
	return STEPS("xor %%eax, %%eax", "cpuid") && STEPS("", "mov %%cr3, %%rax");
}

static bool check_ipi(unsigned cpu)
{
	u64 count = trap.count, next;

	(void)cpu;
	apic_send(apic_id(), IPI_VECTOR);
	asm volatile("lea 1f(%%rip), %0\n\tsti\n\tnop\n1:\tnop\n\tnop\n\tcli"
		     : "=&r"(next)
		     :
		     : "memory");
	return trap.count == count + 1 && trap.vector == IPI_VECTOR && trap.rip >= next &&
	       !(trap.rflags & RFLAGS_TF);
}

/* An interrupt that comes later wakes the CPU up; one that is pending before STI does it, too, as
 * STI holds it off until after HLT. */
static bool check_hlt(unsigned cpu)
{
	u64 count = trap.count, next;
	bool good;

	(void)cpu;
	apic_write(0x320, TIMER_VECTOR);
	apic_write(0x3e0, 11);
	apic_write(0x380, 2000);
	asm volatile("lea 1f(%%rip), %0\n\tsti\n\thlt\n1:\tcli" : "=&r"(next) : : "memory");
	good = trap.count == count + 1 && trap.vector == TIMER_VECTOR && trap.rip == next;
	apic_send(apic_id(), IPI_VECTOR);
	asm volatile("lea 1f(%%rip), %0\n\tsti\n\thlt\n1:\tcli" : "=&r"(next) : : "memory");
	return good && trap.count == count + 2 && trap.vector == IPI_VECTOR && trap.rip == next;
}

/* The timer's interrupt ends the wait, and is taken only behind it: so it cannot come too early. A
 * wait may end sooner. SDM: "MWAIT—Monitor Wait". */
static bool check_mwait(unsigned cpu)
{
	u64 count = trap.count;

	if (!has_mwait)
		return true;
	apic_write(0x320, TIMER_VECTOR);
	apic_write(0x3e0, 11);
	apic_write(0x380, 2000);
	for (unsigned i = 0; i < 10000 && trap.count == count; i++) {
		asm volatile("monitor" : : "a"(PAGE(cpu)), "c"(0), "d"(0) : "memory");
		asm volatile("mwait" : : "a"(0), "c"(1) : "memory");
		asm volatile("sti\n\tnop\n\tcli" : : : "memory");
	}
	return trap.count == count + 1 && trap.vector == TIMER_VECTOR;
}

static const struct {
	const char *name;
	bool (*check)(unsigned cpu);
	bool first_only;
} checks[] = {
	{"CR0", check_cr0, false},
	{"LMSW", check_lmsw, false},
	{"CR4", check_cr4, false},
	{"CR3", check_cr3, false},
	{"CR8", check_cr8, false},
	{"debug registers", check_dr, false},
	{"descriptor tables", check_tables, false},
	{"RDTSC and PAUSE", check_tsc, false},
	{"PAUSE in a loop", check_pause_loop, true},
	{"INVLPG", check_invlpg, false},
	{"WBINVD", check_wbinvd, false},
	{"ports", check_port, false},
	{"MSRs", check_msrs, false},
	{"RDPMC", check_rdpmc, false},
	{"REP STOS", check_strings, false},
	{"PUSHF, STI, MOV SS", check_flags, false},
	{"IRET", check_iret, false},
	{"SYSCALL", check_syscall, false},
	{"page faults", check_fault, true},
	{"exceptions", check_exceptions, true},
	{"INT n", check_int, true},
	{"single steps", check_step, true},
	{"interrupts", check_ipi, true},
	{"HLT", check_hlt, true},
	{"MONITOR, MWAIT", check_mwait, true},
};

/* Say when CPUID or RDMSR answers something else than before. */
static void watch_answers(void)
{
	static u64 id, msr;
	u64 new_id = cpuid(1, 0).ecx & ~BIT(27), new_msr = rdmsr(MSR_IA32_APICBASE);

	if (id != new_id)
		say("# CPUID %llx\n", (unsigned long long)new_id);
	if (msr != new_msr)
		say("# MSR %llx\n", (unsigned long long)new_msr);
	id = new_id;
	msr = new_msr;
}

/* A while in which an interrupt that somebody injects can be taken. */
static void open_window(void)
{
	u64 n = 500;

	asm volatile("sti\n1:\tdec %0\n\tjnz 1b\n\tcli" : "+r"(n) : : "memory", "cc");
}

/* However often interrupts come, in between the CPU executes its next instruction. */
static void storm(u32 period)
{
	u64 count = trap.count, done = 0;

	apic_write(0x320, TIMER_VECTOR | BIT(17));
	apic_write(0x3e0, 11);
	apic_write(0x380, period);
	say("# storm\n");
	asm volatile("sti");
	for (; !stop; done++) {
		rdtsc();
		*(volatile u64 *)DATA_PAGE = done;
	}
	asm volatile("cli");
	apic_write(0x380, 0);
	ok(done > 100 && trap.count > count, "%llu times, with %llu interrupts",
	   (unsigned long long)done, (unsigned long long)(trap.count - count));
}

static u64 rounds[MAX_CPUS], wrong[MAX_CPUS][ARRAY_SIZE(checks)];

static void work(unsigned cpu)
{
	u64 most = param_number("rounds", 1000000);
	bool at_once = param("end"), plain = param("plain");

	while (!stop && (cpu || rounds[0] < most)) {
		for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
			if ((cpu || plain) && checks[i].first_only)
				continue;
			if (checks[i].check(cpu))
				continue;
			wrong[cpu][i]++;
			if (at_once)
				stop = 1;
		}
		if (!cpu)
			watch_answers();
		if (plain)
			open_window();
		rounds[cpu]++;
	}
	stop = 1;
}

void guest_main(void)
{
	unsigned cpus = (unsigned)param_number("cpus", 1);
	struct ap_state state;

	says = param("say");
	spins = param("spin");
	has_rdpmc = cpuid(10, 0).eax & 0xff;
	has_mwait = cpuid(1, 0).ecx & BIT(3) && cpuid(5, 0).ecx & BIT(1);
	apic_init(false);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		ok(ap_boot(cpu, &state), "CPU %u starts", cpu);
	say("# stop at %llx\n", (unsigned long long)&stop);
	if (param("storm")) {
		storm((u32)param_number("storm", 0));
		plan();
		return;
	}
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		ap_start_job(cpu, work);
	work(0);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		ok(ap_wait(cpu), "CPU %u ends", cpu);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		for (unsigned i = 0; i < ARRAY_SIZE(checks); i++)
			if (!cpu || !checks[i].first_only)
				ok(!wrong[cpu][i], "CPU %u: %s, wrong %llu times", cpu,
				   checks[i].name, (unsigned long long)wrong[cpu][i]);
	say("# rounds %llu %llu faults %llu\n", (unsigned long long)rounds[0],
	    (unsigned long long)rounds[1], (unsigned long long)faults);
	plan();
}
