/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory by linear address, and the instruction at its RIP.
 */
#include "vmm/x86/guest_mem.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "vmm/event.h"
#include "vmm/vcpu.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/memslot.h"

#define PT_P    BIT(0)
#define PT_W    BIT(1)
#define PT_U    BIT(2)
#define PT_A    BIT(5)
#define PT_D    BIT(6)
#define PT_PS   BIT(7)
#define PT_NX   BIT(63)
#define PT_ADDR GENMASK(51, 12)

#define PT_KEY(entry) ((unsigned)((entry) >> 59 & 15)) /* of a leaf */
#define KEY_AD        1u                               /* no access */
#define KEY_WD        2u                               /* no write */

/* For walk(): the CPU has already checked access rights and set the A and D flags. */
#define ACCESS_CHECKED BIT(31)

/* The guest's current paging mode. */
struct paging {
	struct vcpu *vcpu;
	u64 cr0, cr3, cr4, efer;
	int levels;         /* 2: 32-bit, 3: PAE, 4 and 5: IA-32e */
	unsigned size, log; /* bytes of an entry; log2 of the entries in a table */
};

static struct paging get_paging(struct vcpu *vcpu)
{
	struct paging p = {
		.vcpu = vcpu,
		.cr0 = virt->get_sysreg(vcpu, SYSREG_CR0),
		.cr3 = virt->get_sysreg(vcpu, SYSREG_CR3),
		.cr4 = virt->get_sysreg(vcpu, SYSREG_CR4),
		.efer = virt->get_sysreg(vcpu, SYSREG_EFER),
		.size = 8,
		.log = 9,
	};

	if (p.efer & EFER_LMA) {
		p.levels = p.cr4 & CR4_LA57 ? 5 : 4;
		p.cr3 &= PT_ADDR;
	} else if (p.cr4 & CR4_PAE) {
		p.levels = 3;
		p.cr3 &= GENMASK(31, 5);
	} else {
		p.levels = 2;
		p.cr3 &= GENMASK(31, 12);
		p.size = 4;
		p.log = 10;
	}
	return p;
}

/*
 * The bits that must be 0 in a present entry. Not for the PDPTEs of PAE paging: the CPU checks
 * those when it loads them.
 */
static u64 reserved_bits(const struct paging *p, int level, bool large, unsigned shift)
{
	unsigned phys = p->vcpu->vm->phys_bits;
	u64 bits;

	if (p->size == 4)
		return large ? GENMASK(21, MIN(phys, 40) - 32 + 13) : 0;
	bits = GENMASK(p->levels == 3 ? 62 : 51, phys);
	if (!(p->efer & EFER_NX))
		bits |= PT_NX;
	if (large)
		bits |= GENMASK(shift - 1, 13);
	if (level > 3 || (level == 3 && !(cpuid(0x80000001, 0).edx & BIT(26))))
		bits |= PT_PS;
	return bits;
}

/* SDM: "Determination of Access Rights". @rights: the AND of all entries of the walk. */
static bool may_access(const struct paging *p, u64 rights, u32 access)
{
	u64 rflags = virt->get_sysreg(p->vcpu, SYSREG_RFLAGS);

	if (access & PF_ERROR_U && !(rights & PT_U))
		return false;
	if (!(access & PF_ERROR_U) && rights & PT_U && p->cr4 & CR4_SMAP && !(rflags & RFLAGS_AC))
		return false;
	return !(access & PF_ERROR_W) || rights & PT_W || !(access & PF_ERROR_U || p->cr0 & CR0_WP);
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

/* SDM: "Protection Keys". @rights as for may_access(); @entry is the leaf. */
static bool key_allows(const struct paging *p, u64 rights, u64 entry, u32 access)
{
	bool user = rights & PT_U;
	u64 keys;

	if (!(p->efer & EFER_LMA) || !(p->cr4 & (user ? CR4_PKE : CR4_PKS)))
		return true;
	keys = user ? guest_pkru() : virt->get_sysreg(p->vcpu, SYSREG_PKRS);
	keys >>= 2 * PT_KEY(entry);
	if (keys & KEY_AD)
		return false;
	return !(keys & KEY_WD && access & PF_ERROR_W && (access & PF_ERROR_U || p->cr0 & CR0_WP));
}

static void set_flags(const struct paging *p, gpa_t at, u64 entry, u32 flags)
{
	u64 hva = gfn_to_hva(p->vcpu->vm, at >> PAGE_SHIFT);

	if (hva && ~entry & flags)
		__atomic_or_fetch((u32 *)(hva + (at & ~PAGE_MASK)), flags, __ATOMIC_RELAXED);
}

/* The entry of @size bytes at @at. A table outside of memory reads as all ones. */
static u64 read_entry(struct vm *vm, gpa_t at, unsigned size)
{
	u64 hva = gfn_to_hva(vm, at >> PAGE_SHIFT) + (at & ~PAGE_MASK);

	if (hva < PAGE_SIZE)
		return ~0ull >> (64 - 8 * size);
	return size == 4 ? *(const volatile u32 *)hva : *(const volatile u64 *)hva;
}

/* Walk the page tables. Returns 0 and *@gpa, or -EFAULT and #PF's error code in *@error. @seen: see
 * guest_walk(), or NULL. */
static int walk_seen(struct vcpu *vcpu, gva_t gva, u32 access,
		     void (*seen)(int level, gpa_t at, u64 entry), gpa_t *gpa, u32 *error)
{
	struct paging p = get_paging(vcpu);
	u64 table = p.cr3, rights = PT_W | PT_U;

	if (!(p.efer & EFER_LMA))
		gva = (u32)gva;
	*gpa = gva;
	for (int level = p.levels; p.cr0 & CR0_PG; level--) {
		unsigned shift = PAGE_SHIFT + p.log * (unsigned)(level - 1);
		gpa_t at = table + (gva >> shift & (BIT(p.log) - 1)) * p.size;
		bool pdpte = p.levels == 3 && level == 3, large;
		u64 entry = read_entry(vcpu->vm, at, p.size);

		if (seen)
			seen(level, at, entry);
		large = level > 1 && !pdpte && entry & PT_PS && (p.size == 8 || p.cr4 & CR4_PSE);
		*error = access & (PF_ERROR_W | PF_ERROR_U);
		if (!(entry & PT_P))
			return -EFAULT;
		*error |= PF_ERROR_P;
		if (!pdpte && entry & reserved_bits(&p, level, large, shift)) {
			*error |= PF_ERROR_RSVD;
			return -EFAULT;
		}
		if (!pdpte)
			rights &= entry;
		table = entry & (p.size == 4 ? GENMASK(31, 12) : PT_ADDR);
		if (level > 1 && !large) {
			if (!(access & ACCESS_CHECKED) && !pdpte)
				set_flags(&p, at, entry, PT_A);
			continue;
		}
		if (!(access & ACCESS_CHECKED)) {
			bool keys = key_allows(&p, rights, entry, access);

			if (!keys)
				*error |= PF_ERROR_PK;
			if (!keys || !may_access(&p, rights, access))
				return -EFAULT;
			set_flags(&p, at, entry, access & PF_ERROR_W ? PT_A | PT_D : PT_A);
		}
		if (large && p.size == 4)
			table |= (entry >> 13 & 0xff) << 32;
		*gpa = (table & ~(BIT(shift) - 1)) | (gva & (BIT(shift) - 1));
		break;
	}
	return 0;
}

static int walk(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, u32 *error)
{
	return walk_seen(vcpu, gva, access, NULL, gpa, error);
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

int guest_physical(struct vcpu *vcpu, gva_t gva, gpa_t *gpa)
{
	u32 error;

	return walk(vcpu, gva, ACCESS_CHECKED, gpa, &error);
}

int guest_walk(struct vcpu *vcpu, gva_t gva, void (*seen)(int level, gpa_t at, u64 entry),
	       gpa_t *gpa, u32 *error)
{
	return walk_seen(vcpu, gva, ACCESS_CHECKED, seen, gpa, error);
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
		int r = walk(vcpu, gva, ACCESS_CHECKED, &gpa, &error);

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
	int r = walk(vcpu, gva, ACCESS_CHECKED, &gpa, &error);

	if (r)
		return r;
	byte = gpa_to_ptr(vcpu->vm, gpa, 1);
	if (!byte)
		return -EFAULT;
	if (clear)
		__atomic_and_fetch(byte, (u8)~clear, __ATOMIC_SEQ_CST);
	if (set)
		__atomic_or_fetch(byte, set, __ATOMIC_SEQ_CST);
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
	return insn->mode == INSN_64 ? gva : (u32)gva;
}
