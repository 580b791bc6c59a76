/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing the guest's memory, by guest-physical and by guest linear addresses.
 */
#ifndef GH_GUEST_MEM_H
#define GH_GUEST_MEM_H

#include "vmm/vm.h"

/*
 * Copy @len bytes from or to guest-physical @gpa. Only memory in slots; ours is in none.
 * Returns 0, or -EFAULT when a byte is elsewhere: what came before it has been copied.
 */
int read_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len);
int write_guest(struct vm *vm, gpa_t gpa, const void *buf, size_t len);

/*
 * Walk the guest's page tables as they are in force. SDM: "4-Level Paging and 5-Level Paging", "PAE
 * Paging", "32-Bit Paging". Rights are not checked: the CPU has done so before it exited. Returns 0
 * and *@gpa, or -EFAULT when nothing is mapped there.
 */
int gva_to_gpa(struct vcpu *vcpu, gva_t gva, gpa_t *gpa);

/* The same as read_guest() and write_guest(), by linear address. */
int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len);
int write_guest_virt(struct vcpu *vcpu, gva_t gva, const void *buf, size_t len);

/*
 * The bytes of the instruction that the guest is at: up to @max of them into @buf; fewer at the
 * edge of what can be read. Returns how many.
 */
size_t fetch_guest_insn(struct vcpu *vcpu, u8 *buf, size_t max);

#endif
