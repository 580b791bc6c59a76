/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory by linear address, through its segments and page tables; and the instruction
 * at its RIP. (By guest-physical address: vmm/memslot.h.)
 */
#ifndef GH_GUEST_MEM_H
#define GH_GUEST_MEM_H

#include "vmm/virt_ops.h"
#include "vmm/x86/insn.h"

/*
 * Copy @len bytes from or to linear @gva, through the guest's page tables as they are in force.
 * SDM: "4-Level Paging and 5-Level Paging", "PAE Paging", "32-Bit Paging". Access rights are not
 * checked: the CPU has done so before it exited, or see probe_guest_virt(). Returns 0, or -EFAULT
 * when a byte is not mapped or in no slot.
 */
int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len);
int write_guest_virt(struct vcpu *vcpu, gva_t gva, const void *buf, size_t len);

/*
 * May the guest access @len bytes at linear @gva? @access: PF_ERROR_W to write, PF_ERROR_U for CPL
 * 3. Sets accessed and dirty flags, as the access would. Returns 0; or -EFAULT, and the guest gets
 * its #PF. SDM: "Determination of Access Rights", "Page-Fault Exceptions". Protection keys are not
 * looked at.
 */
int probe_guest_virt(struct vcpu *vcpu, gva_t gva, size_t len, u32 access);

/*
 * The linear address of @len bytes (1 to 8) at @offset in @reg, by the rules of the mode that the
 * guest is in. Returns 0; or -EFAULT, and the guest gets #GP(0), or #SS(0) for SS. SDM: "Limit
 * Checking", "Type Checking", "Canonical Addressing".
 */
int guest_linear(struct vcpu *vcpu, enum segment_reg reg, u64 offset, u32 len, bool write,
		 gva_t *gva);

/* The guest-physical address of linear @gva, whatever the rights. Returns 0, or -EFAULT: not
 * mapped. */
int guest_physical(struct vcpu *vcpu, gva_t gva, gpa_t *gpa);

/* A segment as addresses use it: in 64-bit code only FS and GS have a base. */
void guest_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg);

/* The sort of code that the guest runs, and its CPL. */
enum insn_mode guest_mode(struct vcpu *vcpu);
unsigned guest_cpl(struct vcpu *vcpu);

/*
 * The bytes of the instruction that the guest is at: up to @max of them into @buf; fewer at the
 * edge of what can be read. Returns how many.
 */
size_t fetch_guest_insn(struct vcpu *vcpu, u8 *buf, size_t max);

/* The same, decoded. False when it cannot be read or is none. */
bool decode_guest_insn(struct vcpu *vcpu, struct insn *insn);

/* The linear address of that instruction's memory operand, which insn_memory_op() found. */
gva_t guest_operand(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem);

#endif
