/* SPDX-License-Identifier: MIT */
/*
 * Lab 9: your inspector. Your file takes the place of labs/09-inspector/inspector.c. inspector.h,
 * beside that, says what the functions are for, and has struct inspector.
 */
#include "labs/09-inspector/inspector.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/memslot.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

#define GATE_SIZE 16 /* bytes of a gate in 64-bit mode */
#define CALL_SIZE 8  /* bytes of an entry of the system-call table */

/*
 * Hole 1. Return the address of the handler in a gate, whose 16 bytes are two words: @gate[0] has
 * bytes 0 to 7, the lowest in bits 7:0, and @gate[1] has bytes 8 to 15. The address is in three
 * parts. SDM: "64-Bit Mode IDT".
 */
u64 gate_handler(const u64 gate[2])
{
	(void)gate;
	pr_info("Lab 9: gate_handler() is yours to write.\n");
	return 0;
}

/*
 * Hole 2. Find the gate of @vector in the IDT of the vCPU. virt->get_segment(vcpu, SEG_IDTR, ...)
 * reads IDTR: the base is a linear address, so it goes through the guest's page tables
 * (guest_physical()); the limit is the offset of the last byte of the IDT. Store the gate's
 * guest-physical address in *@gpa, and return 0. Return -EFAULT if the IDT is too short for this
 * gate, or if the gate is not mapped.
 */
int find_gate(struct vcpu *vcpu, unsigned vector, gpa_t *gpa)
{
	(void)vcpu, (void)vector, (void)gpa;
	pr_info("Lab 9: find_gate() is yours to write.\n");
	return -EFAULT;
}

/*
 * Hole 3. The guest has written something on the page on which the gate is: perhaps another gate,
 * perhaps the same bytes again. @now: the gate's 16 bytes after that. Return true if this is an
 * alarm, and only then:
 *   - the gate is bad if a bit that means something to the CPU is not as in inspector->good: its
 *     handler, selector, IST, type, DPL or present bit, or one of the bits between them. Bytes 12
 *     to 15 mean nothing;
 *   - a gate that becomes bad is one alarm, however many writes follow while it stays bad
 *     (inspector->alarmed). When it is good again, that is no alarm; the next time is a new one.
 */
bool gate_changed(struct inspector *inspector, const u64 now[2])
{
	(void)inspector, (void)now;
	pr_info("Lab 9: gate_changed() is yours to write.\n");
	return false;
}

/*
 * Hole 4. The guest has executed LIDT. Who loads another IDT needs not write to the old one. Find
 * the gate in the IDT that IDTR points to now, and judge it as in hole 3 (read_guest() reads guest
 * memory by its physical address). Linux loads the same table again now and then, or another one
 * with the same gate: that is no alarm. Set inspector->gate, so that the check has the right page
 * watched from now on. An IDT without this gate is bad; then inspector->gate stays as it is.
 */
bool idtr_changed(struct inspector *inspector, struct vcpu *vcpu)
{
	(void)inspector, (void)vcpu;
	pr_info("Lab 9: idtr_changed() is yours to write.\n");
	return false;
}

/*
 * Hole 5. Linux' table of system calls is an array of addresses, of 8 bytes each: the function of
 * system call 0, of 1, and so on. @table is its linear address. Store the guest-physical address of
 * the entry @number in *@gpa, and return 0; -EFAULT if the entry is not mapped. The table may lie
 * on more than one page.
 */
int find_call(struct vcpu *vcpu, gva_t table, unsigned number, gpa_t *gpa)
{
	(void)vcpu, (void)table, (void)number, (void)gpa;
	pr_info("Lab 9: find_call() is yours to write.\n");
	return -EFAULT;
}

/*
 * Hole 6. The guest has written something on the page of the entry: perhaps another entry, perhaps
 * the same address again. @now: the entry's 8 bytes after that. Return true if this is an alarm, by
 * the rules of hole 3: an entry that is not inspector->good is bad, and an entry that becomes bad
 * is one alarm.
 */
bool call_changed(struct call_inspector *inspector, u64 now)
{
	(void)inspector, (void)now;
	pr_info("Lab 9: call_changed() is yours to write.\n");
	return false;
}
