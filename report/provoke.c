/* SPDX-License-Identifier: MIT */
/*
 * The option provoke=. See provoke.h. Only boot/main.c calls this file; without the option, exits
 * cost nothing more.
 */
#include "report/provoke.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/trap.h"
#include "lib/log.h"
#include "lib/number.h"
#include "lib/string.h"
#include "vmm/vmx/vmcs_text.h"
#include "vmm/vm0/mcheck.h"
#include "vmm/vmx/vmx.h"
#include "vmm/vmx/vmx_ops.h"

extern u8 __text_start[];

/* Change a byte of Glasshouse's code that is not executed, with write protection off. */
static void do_text(void)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 & ~(u64)CR0_WP);
	*(volatile u8 *)__text_start ^= 1;
	write_cr0(cr0);
}

/* The same with write protection on: page fault. */
static void do_write(void)
{
	*(volatile u8 *)__text_start ^= 1;
}

static void do_panic(void)
{
	panic("provoked");
}

static void do_pagefault(void)
{
	*(volatile u32 *)0x123456789000 = 1;
}

static void do_gp(void)
{
	wrmsr(MSR_IA32_APICBASE, ~0ull);
}

static void do_ud(void)
{
	asm volatile("ud2");
}

static void do_db(void)
{
	asm volatile(".byte 0xf1"); /* INT1 */
}

static void do_bp(void)
{
	asm volatile("int3");
}

static void do_divide(void)
{
	asm volatile("div %b0" : : "r"(0), "a"(1) : "cc");
}

/* The page fault of the PUSH cannot be delivered either. */
static void do_doublefault(void)
{
	asm volatile("xor %%esp, %%esp\n\tpush %%rax" : : : "memory");
}

static u64 do_stack_deeper(volatile u64 *above)
{
	volatile u64 room[128] = {*above};

	if (room[0])
		return 0;
	return do_stack_deeper(room) + room[0];
}

static void do_stack(void)
{
	volatile u64 start = 0;

	do_stack_deeper(&start);
}

static void panic_on_nmi(struct trap_frame *frame)
{
	panic("provoked in an NMI at RIP %lx", frame->rip);
}

static void do_nmi(void)
{
	nmi_handler = panic_on_nmi;
	lapic_send_nmi(this_cpu()->apic_id);
	for (;;)
		cpu_relax();
}

static bool dump_with_nmi(struct vcpu *vcpu, const char *part, bool mark)
{
	lapic_send_nmi(this_cpu()->apic_id);
	return vmx_x86_ops.dump(vcpu, part, mark);
}

static void do_straynmi(void)
{
	virt_ops.dump = dump_with_nmi;
	do_panic();
}

static bool dump_with_fault(struct vcpu *vcpu, const char *part, bool mark)
{
	(void)vcpu;
	(void)part;
	(void)mark;
	do_ud();
	return true;
}

static void do_badreport(void)
{
	virt_ops.dump = dump_with_fault;
	do_panic();
}

/* A machine check after which the CPU can continue: MCG_STATUS has RIPV (1). */
static void mc_goes_on(struct trap_frame *frame)
{
	(void)frame;
	machine_check_with(1);
}

static void do_mc(void)
{
	mc_handler = mc_goes_on;
	asm volatile("int $18");
}

static void do_fatalmc(void)
{
	asm volatile("int $18");
}

static const struct {
	const char *name;
	void (*fail)(void);
} failures[] = {
	{"panic", do_panic},
	{"pagefault", do_pagefault},
	{"gp", do_gp},
	{"ud", do_ud},
	{"db", do_db},
	{"bp", do_bp},
	{"divide", do_divide},
	{"stack", do_stack},
	{"nmi", do_nmi},
	{"doublefault", do_doublefault},
	{"straynmi", do_straynmi},
	{"badreport", do_badreport},
	{"text", do_text},
	{"write", do_write},
	{"mc", do_mc},
	{"fatalmc", do_fatalmc},
};

#define MAX_FIELDS 4

static void (*fail)(void);
static u32 victim; /* the number of the vCPU that fails */
static struct {
	const struct vmcs_field_info *info;
	u64 value;
} fields[MAX_FIELDS];
static unsigned nr_fields;
static u64 exits, last_exit = PROVOKE_EXIT;

static int failing_handle_exit(struct vcpu *vcpu)
{
	int r = vmx_x86_ops.handle_exit(vcpu);

	if (r <= 0 || vcpu->id != victim || ++exits != last_exit)
		return r;
	for (unsigned i = 0; i < nr_fields; i++)
		vmwrite(fields[i].info->encoding, fields[i].value);
	if (fail)
		fail();
	return r;
}

static u64 digit(char c)
{
	return (u64)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Parse one "FIELD=VALUE". Returns the text after it, or NULL if there is no such field. */
static const char *find_field(const char *text)
{
	const char *at = strchr(text, '=');
	char name[64];
	u64 value = 0;

	if (!at || nr_fields == MAX_FIELDS)
		return NULL;
	strlcpy(name, text, MIN((size_t)(at - text) + 1, sizeof(name)));
	while (*++at && *at != ',')
		value = value << 4 | digit(*at);
	fields[nr_fields].info = vmcs_field_by_name(name);
	fields[nr_fields].value = value;
	if (!fields[nr_fields++].info)
		return NULL;
	return *at ? at + 1 : at;
}

/* Parse "FIELD=VALUE,FIELD=VALUE". After an error, no field is used. */
static void find_fields(const char *text)
{
	while (text && *text)
		text = find_field(text);
	if (!text)
		nr_fields = 0;
}

void provoke(const char *how)
{
	const char *number = strchr(how, '/');
	size_t length = number ? (size_t)(number - how) : strlen(how);

	if (number && !parse_uint(number + 1, &last_exit))
		length = 0;
	if (!strncmp(how, "entry:", 6))
		find_fields(how + 6);
	else if (length > 2 && !strcmp(how + length - 2, "@1")) {
		victim = 1;
		length -= 2;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(failures); i++)
		if (length == strlen(failures[i].name) && !strncmp(how, failures[i].name, length))
			fail = failures[i].fail;
	if (!nr_fields && !fail) {
		pr_warn("provoke=%s: there is no such failure, ignored; report/provoke.h lists "
			"them\n",
			how);
		return;
	}
	virt_ops.handle_exit = failing_handle_exit;
}
