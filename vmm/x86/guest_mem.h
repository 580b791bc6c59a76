/* SPDX-License-Identifier: MIT */
/*
 * Access to the guest's memory by linear address, through its segments and page tables, and to the
 * instruction at its RIP. (Access by guest-physical address: vmm/memslot.h.)
 */
#ifndef GH_GUEST_MEM_H
#define GH_GUEST_MEM_H

#include "vmm/virt_ops.h"
#include "vmm/x86/guest_walk.h"
#include "vmm/x86/insn.h"

/*
 * Copy @len bytes from or to linear @gva, through the guest's current page tables. SDM: "4-Level
 * Paging and 5-Level Paging", "PAE Paging", "32-Bit Paging". Access rights are not checked: either
 * the CPU checked them before the exit, or the caller uses probe_guest_virt(). Returns 0, or
 * -EFAULT when a byte is not mapped or is in no slot; the bytes on other pages have been copied.
 */
int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len);
int write_guest_virt(struct vcpu *vcpu, gva_t gva, const void *buf, size_t len);

/*
 * Clear and set bits of the byte at linear @gva, as a locked instruction would: other CPUs may
 * change it meanwhile. Else as write_guest_virt().
 */
int change_guest_byte(struct vcpu *vcpu, gva_t gva, u8 clear, u8 set);

/* An access (guest_rights.h) that no instruction makes, but the CPU by itself, to a descriptor or a
 * TSS: RFLAGS.AC means nothing to it. */
#define WALK_IMPLICIT BIT(29)

/*
 * Check whether the guest may access @len bytes at linear @gva, and set the accessed and dirty
 * flags as the access would. @access: PF_ERROR_W for a write, PF_ERROR_U at CPL 3, WALK_IMPLICIT
 * where no instruction accesses the data. Returns 0; or -EFAULT, with #PF queued and CR2 set. SDM:
 * "Determination of Access Rights", "Protection Keys", "Page-Fault Exceptions".
 */
int probe_guest_virt(struct vcpu *vcpu, gva_t gva, size_t len, u32 access);

/*
 * The two together: check whether the guest may read @len bytes at linear @gva, and copy them.
 * Returns 0; or -EFAULT, with #PF queued and CR2 set if it may not.
 */
int fetch_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len, u32 access);

/*
 * Check an access of @len bytes (1 to 8) at @offset in segment @reg, by the rules of the guest's
 * mode, and compute its linear address in *@gva. Returns 0; or -EFAULT, with #GP(0) queued (#SS(0)
 * for SS). SDM: "Limit Checking", "Type Checking", "Canonical Addressing".
 */
int guest_linear(struct vcpu *vcpu, enum segment_reg reg, u64 offset, u32 len, bool write,
		 gva_t *gva);

/*
 * Translate linear @gva to the guest-physical *@gpa, without a check of access rights. Returns 0;
 * or -EFAULT when it is not mapped.
 */
int guest_physical(struct vcpu *vcpu, gva_t gva, gpa_t *gpa);

/*
 * The same, and what is on the way: call @seen for each entry, with its level (1: the last), its
 * guest-physical address and its value. After -EFAULT *@error is the error code that #PF would have
 * for a read.
 */
int guest_walk(struct vcpu *vcpu, gva_t gva, void (*seen)(int level, gpa_t at, u64 entry),
	       gpa_t *gpa, u32 *error);

/* The guest's current paging mode, for guest_walk.h, and its keys: PKRU, or IA32_PKRS if not @user.
 */
void get_paging_mode(struct vcpu *vcpu, struct paging_mode *mode);
u32 guest_keys(bool user);

/* Read segment @reg into @seg, with the base that addresses use: in 64-bit mode 0 except FS, GS. */
void guest_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg);

/* The guest's code size: CS.L in IA-32e mode, otherwise CS.D. */
enum insn_mode guest_mode(struct vcpu *vcpu);

/* The guest's current privilege level, 0 to 3. */
unsigned guest_cpl(struct vcpu *vcpu);

/*
 * The linear address that the CPU uses for an access of data at @gva in 64-bit mode: without the
 * tag, where the guest uses linear-address masking (LAM). It need not be canonical. Not for code,
 * nor for what INVLPG and the like invalidate: the CPU does not mask these. SDM: "Linear-Address
 * Pre-Processing".
 */
gva_t guest_untag(struct vcpu *vcpu, gva_t gva);

/* Is @address canonical, in 64-bit mode? SDM: "Canonical Addressing". */
bool is_canonical(struct vcpu *vcpu, u64 address);

/* May the guest's RIP be @rip: canonical in 64-bit code, otherwise below 4 GiB? SDM: "Checks on
 * Guest RIP, RFLAGS, and SSP". */
bool rip_is_valid(struct vcpu *vcpu, u64 rip);

/*
 * Read up to @max bytes of code at the guest's RIP, as the CPU executes them, into @buf. Returns
 * how many were read: fewer, or 0, when a page is not readable.
 */
size_t fetch_guest_insn(struct vcpu *vcpu, u8 *buf, size_t max);

/*
 * Decode the instruction at the guest's RIP into @insn. Returns false when it cannot be read or is
 * undefined.
 */
bool decode_guest_insn(struct vcpu *vcpu, struct insn *insn);

/* The linear address of the memory operand of @insn at RIP; @mem: from insn_memory_op(). */
gva_t guest_operand(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem);

#endif
