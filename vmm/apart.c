/* SPDX-License-Identifier: MIT */
/*
 * What stands in for the parts that `make core` leaves out (APART in the Makefile): for each
 * function that the core calls there, what it does then. A part that is linked takes its place.
 */
#include "arch/x86/cpu.h"
#include "drivers/console.h"
#include "drivers/vga.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/options.h"
#include "lib/string.h"
#include "vmm/vm0/bios.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/vm0/hypercall.h"
#include "lib/integrity.h"
#include "vmm/x86/io.h"
#include "vmm/vm0/leave.h"
#include "vmm/load/loader.h"
#include "report/panic.h"
#include "vmm/x86/task_switch.h"
#include "vmm/x86/unknown.h"
#include "report/provoke.h"

__weak void breakpoint_access(__unused struct vcpu *vcpu, __unused enum breakpoint_kind kind,
			      __unused u64 address, __unused unsigned size)
{
}

static int left_out(const char *what)
{
	pr_err("This Glasshouse was built without %s: take the whole one (`make`).\n", what);
	return -EOPNOTSUPP;
}

#define LEFT_OUT_LOADER(name, what)                                                            \
	__weak int name(__unused struct vm *vm, __unused struct vcpu *vcpu,                    \
			__unused const struct guest_modules *modules,                          \
			__unused const struct guest_module *module, __unused const char *args) \
	{                                                                                      \
		return left_out(what);                                                         \
	}

LEFT_OUT_LOADER(load_multiboot1, "multiboot kernels")
LEFT_OUT_LOADER(load_multiboot2, "multiboot kernels")
LEFT_OUT_LOADER(load_raw, "raw images")
LEFT_OUT_LOADER(load_linux16, "Linux in real mode")

__weak int load_drive(__unused struct vm *vm, __unused struct vcpu *vcpu, __unused unsigned drive)
{
	return left_out("systems on drives");
}

__weak int bios_init(__unused struct vm *vm)
{
	return left_out("guests of the BIOS");
}

__weak bool bios_present(__unused struct vm *vm)
{
	return false;
}

__weak bool bios_call_ends(__unused struct vcpu *vcpu)
{
	return false;
}

/* No call exists, so VMCALL does not. */
__weak int emulate_hypercall(struct vcpu *vcpu)
{
	queue_exception(vcpu, UD_VECTOR);
	return 1;
}

__weak int leave_request(__unused struct vcpu *vcpu)
{
	return 1;
}

__weak void leave_on_nmi(__unused struct vcpu *vcpu)
{
}

__weak void task_switch(struct vcpu *vcpu, __unused u16 selector,
			__unused enum task_switch_source source, __unused u32 insn_len)
{
	if (handle_unknown(vcpu, "task switch") < 0)
		panic("the guest cannot go on");
}

__weak void machine_check(__unused struct trap_frame *frame)
{
	panic("machine check: the hardware reports an error that it cannot mend");
}

__weak void deliver_machine_check(__unused struct vcpu *vcpu)
{
}

__weak int emulate_string_pio(struct vcpu *vcpu, __unused const struct pio_access *io)
{
	return handle_unknown(vcpu, "string I/O at a port that is watched");
}

__weak void panic_frame(const struct trap_frame *f)
{
	pr_err("  RIP %016lx RSP %016lx error code %lx\n", f->rip, f->rsp, f->error_code);
}

__weak void recorder_dump(__unused const struct vcpu *vcpu, __unused unsigned n)
{
}

__weak void recorder_summary(__unused const struct vcpu *vcpu)
{
}

__weak void vga_init(__unused void *text)
{
}

__weak void vga_write(__unused const char *s, __unused size_t n)
{
}

__weak int start_linux_setup(__unused struct vcpu *vcpu, __unused const struct linux_plan *plan)
{
	return left_out("Linux in real mode");
}

__weak void console_print_last(__unused void *start, __unused u64 size)
{
}

__weak void option_meant(__unused const struct option *table, __unused unsigned nr,
			 __unused const char *word, char *buf, size_t size)
{
	strlcpy(buf, "see docs/options.md", size);
}

__weak void option_expected(__unused const struct option *o, char *buf, size_t size)
{
	strlcpy(buf, "another value", size);
}

__weak void integrity_take(void)
{
}

__weak void integrity_check(void)
{
}

__weak void cpu_brand(char *brand)
{
	*brand = '\0';
}

__weak void panic_backtrace(__unused u64 rsp)
{
}

__weak void provoke(__unused const char *how)
{
	left_out("provoke=");
}
