/* SPDX-License-Identifier: MIT */
/*
 * The IDT, and the handling of exceptions and NMIs in root mode.
 */
#include "arch/x86/trap.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"

struct idt_gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_mid;
	u32 offset_high;
	u32 reserved;
} __packed;

struct ex_entry {
	s32 insn;  /* the instruction that may fault, relative to this field */
	s32 fixup; /* the address to continue at, relative to this field */
};

extern const char trap_gates[256][16];
extern const char halt_until_test[], halt_until_end[];
extern const struct ex_entry __ex_table_start[], __ex_table_end[];

void (*nmi_handler)(struct trap_frame *frame);
void (*mc_handler)(struct trap_frame *frame);
bool (*debug_handler)(struct trap_frame *frame);
void (*trap_report)(struct trap_frame *frame);

static struct idt_gate idt[256] __aligned(16);

const char *exception_name(unsigned vector)
{
	static const char *const names[] = {
		"#DE divide error",
		"#DB debug",
		"NMI",
		"#BP breakpoint",
		"#OF overflow",
		"#BR bound range exceeded",
		"#UD invalid opcode",
		"#NM no math device",
		"#DF double fault",
		"coprocessor overrun",
		"#TS invalid TSS",
		"#NP segment not present",
		"#SS stack segment fault",
		"#GP general protection",
		"#PF page fault",
		"vector 15",
		"#MF x87 error",
		"#AC alignment check",
		"#MC machine check",
		"#XM SIMD error",
		"#VE virtualization exception",
		"#CP control protection",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "interrupt";
}

static u8 ist_of(unsigned vector)
{
	switch (vector) {
	case NMI_VECTOR:
		return IST_NMI;
	case DF_VECTOR:
		return IST_DF;
	case MC_VECTOR:
		return IST_MC;
	default:
		return 0;
	}
}

void idt_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		u64 handler = (u64)trap_gates[v];

		idt[v] = (struct idt_gate){
			.offset_low = (u16)handler,
			.selector = SEL_CODE64,
			.ist = ist_of(v),
			.type = 0x8e, /* present, DPL 0, 64-bit interrupt gate */
			.offset_mid = (u16)(handler >> 16),
			.offset_high = (u32)(handler >> 32),
		};
	}
}

void idt_load(void)
{
	struct desc_ptr ptr = {sizeof(idt) - 1, (u64)idt};

	asm volatile("lidt %0" : : "m"(ptr));
}

static bool fix_up(struct trap_frame *frame)
{
	for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
		if ((u64)&e->insn + (u64)(s64)e->insn == frame->rip) {
			frame->rip = (u64)&e->fixup + (u64)(s64)e->fixup;
			frame->rflags |= RFLAGS_CF;
			return true;
		}
	}
	return false;
}

void trap_handler(struct trap_frame *frame);
void trap_handler(struct trap_frame *frame)
{
	if (frame->vector == NMI_VECTOR) {
		if (frame->rip >= (u64)halt_until_test && frame->rip < (u64)halt_until_end)
			frame->rip = (u64)halt_until_end;
		if (nmi_handler)
			nmi_handler(frame);
		return;
	}
	if (frame->vector == GP_VECTOR && fix_up(frame))
		return;
	if (frame->vector == MC_VECTOR && mc_handler) {
		mc_handler(frame);
		return;
	}
	if (frame->vector == DB_VECTOR && debug_handler && debug_handler(frame))
		return;
	if (trap_report)
		trap_report(frame);
	panic("%s in root mode at RIP %016lx, error code %lx, CR2 %016lx",
	      exception_name((unsigned)frame->vector), frame->rip, frame->error_code, read_cr2());
}
