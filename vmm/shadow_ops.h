/* SPDX-License-Identifier: MIT */
/*
 * What the rest of vmm/ tells the shadow page tables (shadow/) of a VM whose CPUs do not use its
 * second-level tables: vm->shadow_ops, NULL where they do.
 *
 * All functions but drop and written run on the vCPU's own CPU, in root mode.
 */
#ifndef GH_VMM_SHADOW_OPS_H
#define GH_VMM_SHADOW_OPS_H

#include "types.h"

struct real_mode_ops;
struct vcpu;
struct vm;

/* What an instruction of the guest invalidates. SDM: "Operations that Invalidate TLBs and
 * Paging-Structure Caches". */
enum invalidation {
	INVALIDATE_PAGE,      /* one address: INVLPG */
	INVALIDATE_PCID_PAGE, /* one address in one PCID, no global page: INVPCID, type 0 */
	INVALIDATE_PCID,      /* one PCID, no global pages: type 1 */
	INVALIDATE_ALL,       /* type 2 */
	INVALIDATE_LOCAL,     /* all but global pages: type 3 */
};

struct shadow_ops {
	/* Handle REQ_SHADOW: what translations depend on has changed (CR0, CR4, IA32_EFER, or CR3
	 * not by MOV), or all shadow tables have been dropped. Takes the paging mode anew, and
	 * loads the root. */
	void (*load)(struct vcpu *vcpu);
	/* MOV to CR3 gives it the value @cr3, with IA-32e paging without bit 63; @keep: that bit:
	 * what is cached of the new PCID may be used. */
	void (*new_cr3)(struct vcpu *vcpu, u64 cr3, bool keep);
	/* An invalidation: of linear address @gva, in @pcid, where @what has such. */
	void (*invalidate)(struct vcpu *vcpu, enum invalidation what, u16 pcid, gva_t gva);
	/* Copy @len bytes from linear @gva, as the CPU itself reads them now, at CPL 0, without a
	 * walk of the guest's tables. Returns false if it would not, or if that is not known. */
	bool (*read)(struct vcpu *vcpu, gva_t gva, void *buf, size_t len);
	/* Somebody has written to guest memory at @gpa for the guest, but for accessed and dirty
	 * flags in page tables: all of one page. From any CPU. */
	void (*written)(struct vm *vm, gpa_t gpa);
	/* For people: call @seen for each entry of the shadow tables on the way to @gva, with its
	 * level, its host-physical address, its value, and the guest's entry that it was made from.
	 */
	void (*each_entry)(struct vcpu *vcpu, gva_t gva,
			   void (*seen)(int level, hpa_t at, u64 entry, u64 gpte));
	/* The VM's second-level tables have changed, so that less is allowed, or elsewhere: drop
	 * all shadow tables. Each vCPU has got REQ_SHADOW then. From any CPU. */
	void (*drop)(struct vm *vm);

	/*
	 * Real mode, which the CPU runs as virtual-8086 mode (vmm/real_mode.h). virt's operations
	 * on registers show real mode: the caller sees to that.
	 *
	 * emulate_real_mode: emulate the instruction at RIP, which has caused #GP, as the CPU would
	 * execute it in real mode; returns enum real_mode_result. deliver_real_mode: deliver the
	 * interrupt or exception @vector, which returns to offset @ip: push FLAGS, CS and IP, and
	 * continue at the vector; if that faults, deliver the double fault. Returns 0; or -EFAULT:
	 * a triple fault. SDM: "Interrupt and Exception Handling" of real-address mode.
	 */
	int (*emulate_real_mode)(struct vcpu *vcpu, const struct real_mode_ops *ops);
	int (*deliver_real_mode)(struct vcpu *vcpu, u8 vector, u16 ip);
};

#endif
