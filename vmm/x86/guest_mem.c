/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory by linear address, and the instruction at its RIP.
 */
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/guest_walk.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "vmm/event.h"
#include "vmm/shadow_ops.h"
#include "vmm/vcpu.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/memslot.h"

void get_paging_mode(struct vcpu *vcpu, struct paging_mode *mode)
{
	u64 cr0 = virt->get_sysreg(vcpu, SYSREG_CR0), cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);
	u64 cr3 = virt->get_sysreg(vcpu, SYSREG_CR3), efer = virt->get_sysreg(vcpu, SYSREG_EFER);

	*mode = (struct paging_mode){
		.entry_size = 8,
		.index_bits = 9,
		.phys_bits = vcpu->vm->phys_bits,
		.pse = cr4 & CR4_PSE,
		.page_1g = vcpu->vm->page_1g,
		.nx = efer & EFER_NX,
		.wp = cr0 & CR0_WP,
		.smep = cr4 & CR4_SMEP,
		.smap = cr4 & CR4_SMAP,
		.pke = cr4 & CR4_PKE,
		.pks = cr4 & CR4_PKS,
		.pdpte = vcpu->vm->shadow_ops ? vcpu->pdpte : NULL,
	};
	if (!(cr0 & CR0_PG)) {
		mode->levels = 0;
	} else if (efer & EFER_LMA) {
		mode->levels = cr4 & CR4_LA57 ? 5 : 4;
	} else if (cr4 & CR4_PAE) {
		mode->levels = 3;
	} else {
		mode->levels = 2;
		mode->entry_size = 4;
		mode->index_bits = 10;
	}
	mode->root = walk_root(mode, cr3);
}

/* The guest's PKRU, which nobody switches. RDPKRU needs CR4.PKE. */
static u32 guest_pkru(void)
{
	u64 cr4 = read_cr4();
	u32 pkru, edx;

	write_cr4(cr4 | CR4_PKE);
	asm volatile("rdpkru" : "=a"(pkru), "=d"(edx) : "c"(0));
	write_cr4(cr4);
	return pkru;
}

u32 guest_keys(bool user)
{
	return user ? guest_pkru() : (u32)virt->get_sysreg(this_cpu()->vcpu, SYSREG_PKRS);
}

/* Walk the page tables for an access. Returns 0 and *@gpa, or -EFAULT and #PF's error code in
 * *@error. */
static int walk(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, u32 *error)
{
	struct paging_mode mode;
	struct guest_walk w = {
		.mode = &mode, .vm = vcpu->vm, .gva = gva, .access = access, .keys = guest_keys};
	int r;

	get_paging_mode(vcpu, &mode);
	walk_begin(&w);
	if (mode.smap && !(access & WALK_IMPLICIT) &&
	    virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_AC)
		w.access |= WALK_AC;
	do
		r = walk_addr(&w);
	while (r == -EAGAIN);
	*gpa = w.gpa;
	*error = w.error;
	return r;
}

int probe_guest_virt(struct vcpu *vcpu, gva_t gva, size_t len, u32 access)
{
	for (gva_t at = gva; at - gva < len; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE) {
		u32 error;
		gpa_t gpa;

		if (!walk(vcpu, at, access, &gpa, &error))
			continue;
		write_cr2(at);
		queue_exception_e(vcpu, PF_VECTOR, error);
		return -EFAULT;
	}
	return 0;
}

int fetch_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len, u32 access)
{
	u32 error;
	gpa_t gpa;

	if ((gva & ~PAGE_MASK) + len > PAGE_SIZE || walk(vcpu, gva, access, &gpa, &error) ||
	    read_guest(vcpu->vm, gpa, buf, len))
		return probe_guest_virt(vcpu, gva, len, access)
			       ?: read_guest_virt(vcpu, gva, buf, len);
	return 0;
}

int guest_physical(struct vcpu *vcpu, gva_t gva, gpa_t *gpa)
{
	u32 error;

	return walk(vcpu, gva, (u32)WALK_CHECKED, gpa, &error);
}

int guest_walk(struct vcpu *vcpu, gva_t gva, void (*seen)(int level, gpa_t at, u64 entry),
	       gpa_t *gpa, u32 *error)
{
	struct paging_mode mode;
	struct guest_walk w = {
		.mode = &mode, .vm = vcpu->vm, .gva = gva, .access = (u32)WALK_CHECKED};
	int r;

	get_paging_mode(vcpu, &mode);
	walk_begin(&w);
	r = walk_addr(&w);
	for (int level = w.top; level && level >= w.level; level--)
		seen(level, w.at[level], w.entry[level]);
	*gpa = w.gpa;
	*error = w.error;
	return r;
}

/* What lies on one page does not depend on the other: bytes that can be copied are. */
static int copy_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len, bool write)
{
	char *p = buf;
	int error_of_any = 0;

	while (len) {
		size_t n = MIN(len, PAGE_SIZE - (gva & ~PAGE_MASK));
		u32 error;
		gpa_t gpa;
		int r = walk(vcpu, gva, (u32)WALK_CHECKED, &gpa, &error);

		if (!r)
			r = write ? write_guest(vcpu->vm, gpa, p, n)
				  : read_guest(vcpu->vm, gpa, p, n);
		if (r)
			error_of_any = r;
		gva += n;
		p += n;
		len -= n;
	}
	return error_of_any;
}

int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len)
{
	return copy_guest_virt(vcpu, gva, buf, len, false);
}

int write_guest_virt(struct vcpu *vcpu, gva_t gva, const void *buf, size_t len)
{
	return copy_guest_virt(vcpu, gva, (void *)buf, len, true);
}

int change_guest_byte(struct vcpu *vcpu, gva_t gva, u8 clear, u8 set)
{
	u32 error;
	gpa_t gpa;
	u8 *byte;
	int r = walk(vcpu, gva, (u32)WALK_CHECKED, &gpa, &error);

	if (r)
		return r;
	byte = gpa_to_ptr(vcpu->vm, gpa, 1);
	if (!byte)
		return -EFAULT;
	if (clear)
		__atomic_and_fetch(byte, (u8)~clear, __ATOMIC_SEQ_CST);
	if (set)
		__atomic_or_fetch(byte, set, __ATOMIC_SEQ_CST);
	if (vcpu->vm->shadow_ops)
		vcpu->vm->shadow_ops->written(vcpu->vm, gpa);
	return 0;
}

enum insn_mode guest_mode(struct vcpu *vcpu)
{
	struct segment cs;

	virt->get_segment(vcpu, SEG_CS, &cs);
	if (cs.ar & SEG_AR_L && virt->get_sysreg(vcpu, SYSREG_EFER) & EFER_LMA)
		return INSN_64;
	return cs.ar & SEG_AR_DB ? INSN_32 : INSN_16;
}

unsigned guest_cpl(struct vcpu *vcpu)
{
	struct segment ss;

	virt->get_segment(vcpu, SEG_SS, &ss);
	return SEG_AR_DPL(ss.ar);
}

/* The tag is between bit 63, which says whose address it is, and the address proper, whose sign the
 * CPU extends into it. */
gva_t guest_untag(struct vcpu *vcpu, gva_t gva)
{
	u64 cr4 = virt->get_sysreg(vcpu, SYSREG_CR4), cr3;
	bool wide = cr4 & CR4_LA57;
	unsigned tag;

	if (gva & BIT(63)) {
		if (!(cr4 & CR4_LAM_SUP))
			return gva;
	} else {
		cr3 = virt->get_sysreg(vcpu, SYSREG_CR3);
		if (!(cr3 & (CR3_LAM_U57 | CR3_LAM_U48)))
			return gva;
		wide = cr3 & CR3_LAM_U57;
	}
	tag = wide ? 7 : 16;
	return ((u64)((s64)(gva << tag) >> tag) & ~BIT(63)) | (gva & BIT(63));
}

bool is_canonical(struct vcpu *vcpu, u64 address)
{
	unsigned unused = virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_LA57 ? 7 : 16;

	return (u64)((s64)(address << unused) >> unused) == address;
}

bool rip_is_valid(struct vcpu *vcpu, u64 rip)
{
	return guest_mode(vcpu) == INSN_64 ? is_canonical(vcpu, rip) : !(rip >> 32);
}

void guest_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg)
{
	virt->get_segment(vcpu, reg, seg);
	if (reg != SEG_FS && reg != SEG_GS && guest_mode(vcpu) == INSN_64)
		seg->base = 0;
}

/* Put the patches of the page of @gva into @buf, which has its bytes. */
static void patch_code(struct vcpu *vcpu, gva_t gva, u8 *buf, size_t n)
{
	gpa_t gpa;

	if (vcpu->vm->view_ops && !guest_physical(vcpu, gva, &gpa))
		vcpu->vm->view_ops->code(vcpu, gpa, buf, n);
}

size_t fetch_guest_insn(struct vcpu *vcpu, u8 *buf, size_t max)
{
	struct segment cs;
	gva_t gva;
	size_t first;

	guest_segment(vcpu, SEG_CS, &cs);
	gva = cs.base + virt->get_sysreg(vcpu, SYSREG_RIP);
	first = MIN(max, PAGE_SIZE - (gva & ~PAGE_MASK));
	if (read_guest_virt(vcpu, gva, buf, first))
		return 0;
	patch_code(vcpu, gva, buf, first);
	if (first == max || read_guest_virt(vcpu, gva + first, buf + first, max - first))
		return first;
	patch_code(vcpu, gva + first, buf + first, max - first);
	return max;
}

bool decode_guest_insn(struct vcpu *vcpu, struct insn *insn)
{
	u8 bytes[INSN_MAX_LENGTH];

	return insn_decode(insn, bytes, fetch_guest_insn(vcpu, bytes, sizeof(bytes)),
			   guest_mode(vcpu)) > 0;
}

_Static_assert((int)INSN_ES == SEG_ES && (int)INSN_GS == SEG_GS, "numbers of segment registers");

gva_t guest_operand(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem)
{
	struct insn_address at;
	struct segment seg;
	gva_t gva;

	vcpu->regs[VCPU_RSP] = virt->get_sysreg(vcpu, SYSREG_RSP);
	insn_address(insn, mem, vcpu->regs, virt->get_sysreg(vcpu, SYSREG_RIP), &at);
	guest_segment(vcpu, (enum segment_reg)at.segment, &seg);
	gva = seg.base + at.offset;
	return insn->mode == INSN_64 ? guest_untag(vcpu, gva) : (u32)gva;
}
