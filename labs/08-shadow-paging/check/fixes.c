/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 8: shadow entries. See lab8.h.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "labs/08-shadow-paging/check/lab8.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "shadow/fix.h"
#include "vmm/virt_ops.h"

#define ROUNDS 300
#define RAM    0x6000000ull /* the guest has memory below... */
#define FREE   0x4000000ull /* ...and does not use it from here on */

bool __real_shadow_second_level(struct shadow *shadow, gpa_t gpa, unsigned need,
				struct ept_mapping *map),
	__wrap_shadow_second_level(struct shadow *shadow, gpa_t gpa, unsigned need,
				   struct ept_mapping *map);
void __real_shadow_unshield(struct shadow *shadow, u64 frame),
	__wrap_shadow_unshield(struct shadow *shadow, u64 frame);
struct mmu_page *__real_fix_link(struct fix *fix, struct mmu_page *page, int level),
	*__wrap_fix_link(struct fix *fix, struct mmu_page *page, int level);

/* ---- 5: leaf_rights() ---- */

static unsigned rights_of(bool smep, unsigned acc, bool dirty, bool override)
{
	bool w = acc & ACC_W && dirty, u = acc & ACC_U, x = acc & ACC_X;

	if (override) {
		w = true;
		x = x && !(u && smep);
		u = false;
	}
	return (w ? ACC_W : 0) | (u ? ACC_U : 0) | (x ? ACC_X : 0);
}

const char *check_leaf_rights(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct paging_mode mode = {.levels = 4, .smep = lab_random() & 1};
		unsigned acc = lab_random() & ACC_ALL, made, wanted;
		u64 entry = lab_random() | PT_P;
		bool override = !(acc & ACC_W) && lab_random() & 1;

		if (override)
			entry |= PT_D;
		made = leaf_rights(&mode, acc, entry, override);
		wanted = rights_of(mode.smep, acc, entry & PT_D, override);
		if (made == wanted)
			continue;
		pr_info("# rights %x, D %d, override %d, SMEP %d: %x, it must be %x\n", acc,
			!!(entry & PT_D), override, mode.smep, made, wanted);
		return "leaf_rights: the rights are wrong";
	}
	return NULL;
}

/* ---- 6: make_spte() ---- */

static u64 entry_of(int level, hpa_t hpa, unsigned acc, unsigned prot, u64 leaf, int leaf_level)
{
	bool pat = leaf_level > 1 ? leaf >> 12 & 1 : leaf >> 7 & 1;
	u64 e = hpa | PT_P | PT_A;

	if (acc & ACC_W && prot & EPT_W)
		e |= PT_W | PT_D;
	if (acc & ACC_U)
		e |= PT_U;
	if (!(acc & ACC_X && prot & EPT_X))
		e |= PT_NX;
	e |= leaf & (PT_PWT | PT_PCD);
	e |= (leaf >> 59 & 15) << 59;
	if (level > 1)
		return e | PT_PS | (pat ? BIT(12) : 0);
	return e | (pat ? BIT(7) : 0);
}

const char *check_spte(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 random = lab_random(), leaf = lab_random() | PT_P, made, wanted;
		int leaf_level = 1 + (int)(random % 3), level = 1 + (int)(random >> 8) % leaf_level;
		unsigned acc = random >> 16 & ACC_ALL, prot = EPT_R | (random >> 20 & 7);
		hpa_t hpa = ALIGN_DOWN(lab_random() & 0xffffffffff, spte_size(level));

		made = make_spte(level, hpa, acc, prot, leaf, leaf_level);
		wanted = entry_of(level, hpa, acc, prot, leaf, leaf_level);
		if (made == wanted)
			continue;
		pr_info("# level %d, %lx, rights %x, second level %x, leaf %lx of level %d: %lx, "
			"it "
			"must be %lx\n",
			level, hpa, acc, prot, leaf, leaf_level, made, wanted);
		return "make_spte: a bit of the entry is wrong";
	}
	return NULL;
}

/* ---- 7: fix_choose() ---- */

/* For a while the second-level tables are this. */
static struct {
	bool on;
	gpa_t gpa;
	unsigned need, calls;
	struct ept_mapping map;
} second;

bool __wrap_shadow_second_level(struct shadow *shadow, gpa_t gpa, unsigned need,
				struct ept_mapping *map)
{
	if (!second.on)
		return __real_shadow_second_level(shadow, gpa, need, map);
	second.calls++;
	second.gpa = gpa;
	second.need = need;
	*map = second.map;
	return (map->prot & need) == need;
}

/* The highest level that the shadow entry may have. */
static int level_of(const struct guest_walk *w, unsigned acc, u64 shielded)
{
	int level = 1, most = w->mode->page_1g ? 3 : 2;

	while (level < w->level && level < most) {
		u64 size = 4096ull << 9 * level, first = second.map.hpa / size * size;
		bool has = shielded * 4096 >= first && shielded * 4096 < first + size;

		if (second.map.size < size || (has && acc & ACC_W && second.map.prot & EPT_W))
			break;
		level++;
	}
	return level;
}

static const char *wrong_choice(const struct fix *fix, bool chosen, u64 shielded)
{
	const struct guest_walk *w = &fix->walk;
	bool write = w->access & PF_ERROR_W, fetch = w->access & PF_ERROR_FETCH;
	unsigned need = fetch ? EPT_X : write ? EPT_R | EPT_W : EPT_R, acc;
	bool override = write && !(w->leaf_acc & ACC_W);

	if (second.calls != 1 || second.gpa != w->gpa || second.need != need)
		return "the second-level tables must be asked once, for what the access needs";
	if (chosen != ((second.map.prot & need) == need))
		return "the value that it returns is not what the second-level tables say";
	if (!chosen)
		return NULL;
	if (fix->guest_level != w->level || fix->leaf != w->entry[w->level])
		return "guest_level and leaf are those of the guest's leaf";
	if (fix->override != override)
		return "override: a write where the guest's entries do not allow to write";
	acc = rights_of(w->mode->smep, w->leaf_acc, fix->leaf & PT_D, override);
	if (fix->acc != acc)
		return "acc is what leaf_rights() says";
	if (fix->level != level_of(w, acc, shielded))
		return fix->level > level_of(w, acc, shielded)
			       ? "level is too high: it would map more than is known"
			       : "level could be higher: the guest has a large page there";
	return NULL;
}

static const char *one_choice(struct vcpu *vcpu)
{
	static const u64 sizes[] = {4096, MIB(2), GIB(1)};
	struct shadow *shadow = to_shadow(vcpu);
	struct paging_mode mode = {.levels = 4, .entry_size = 8, .index_bits = 9};
	struct fix fix;
	u64 random = lab_random(), shielded = ~0ull;
	const char *why;
	bool chosen;

	memset(&fix, 0xa5, sizeof(fix));
	mode.page_1g = random & 1;
	mode.smep = random & 2;
	fix.vcpu = vcpu;
	fix.page = NULL;
	fix.walk = (struct guest_walk){.mode = &mode, .vm = vcpu->vm, .gva = random_gva()};
	fix.walk.access = random_access();
	fix.walk.level = 1 + (int)(random >> 8) % 3;
	fix.walk.entry[fix.walk.level] =
		lab_random() | PT_P | PT_A | (fix.walk.access & PF_ERROR_W ? PT_D : 0);
	fix.walk.leaf_acc = random >> 16 & ACC_ALL;
	fix.walk.gpa = lab_random() % RAM;
	second.map = (struct ept_mapping){.size = sizes[(random >> 24) % 3],
					  .hpa = fix.walk.gpa,
					  .prot = (random >> 32 & 7) | (random >> 40 & 3 ? 7 : 0)};
	if (random >> 44 & 1 && shadow->nr_frames > RAM / 4096) {
		shielded = ((fix.walk.gpa & ~(MIB(2) - 1)) | (lab_random() & (MIB(2) - 1))) / 4096;
		shadow->shield[shielded / 64] |= BIT(shielded % 64);
	}
	second.calls = 0;
	second.on = true;
	chosen = fix_choose(&fix);
	second.on = false;
	if (shielded != ~0ull)
		shadow->shield[shielded / 64] &= ~BIT(shielded % 64);
	why = wrong_choice(&fix, chosen, shielded);
	if (why)
		pr_info("# access %x, guest's leaf %lx of level %d, rights %x; second level: %lu "
			"KiB, "
			"%x; 1-GiB pages %d, SMEP %d; chosen %d: level %d, rights %x\n",
			fix.walk.access, fix.walk.entry[fix.walk.level], fix.walk.level,
			fix.walk.leaf_acc, second.map.size >> 10, second.map.prot, mode.page_1g,
			mode.smep, chosen, fix.level, fix.acc);
	return why;
}

const char *check_choose(struct vcpu *vcpu)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++)
		why = one_choice(vcpu);
	return why;
}

/* ---- 8: fix_map() ---- */

static u64 unshielded; /* the last frame */

void __wrap_shadow_unshield(struct shadow *shadow, u64 frame)
{
	unshielded = frame;
	__real_shadow_unshield(shadow, frame);
}

/* The shadow tables on the way to an address, by levels. */
static u64 spte[6];
static int lowest;

static void note_entry(int level, hpa_t at, u64 entry, u64 gpte)
{
	(void)at, (void)gpte;
	spte[level] = entry;
	lowest = level;
}

static void look(struct vcpu *vcpu, gva_t gva)
{
	memset(spte, 0, sizeof(spte));
	vcpu->vm->shadow_ops->each_entry(vcpu, gva, note_entry);
}

static const char *wrong_tables(const struct guest_walk *w, const struct answer *a)
{
	bool write = w->access & PF_ERROR_W;
	u64 leaf = a->entry[a->level] | (write ? PT_D : 0), made = spte[lowest];
	unsigned acc = rights_of(false, a->acc, leaf & PT_D, write && !(a->acc & ACC_W));
	u64 size = 4096ull << 9 * (lowest - 1), wanted;

	for (int level = 4; level > lowest; level--)
		if ((spte[level] & 0xfff) != SPTE_TABLE || spte[level] & PT_NX)
			return "an entry that points to a table must allow everything";
	if (!(made & PT_P))
		return "there is no entry for the address afterwards";
	wanted = entry_of(lowest, a->gpa & ~(size - 1), acc, EPT_R | EPT_W | EPT_X, leaf, a->level);
	if ((made ^ wanted) & PT_ADDR & ~(size - 1))
		return "the entry maps another page";
	if (made != wanted)
		return "a bit of the entry is wrong";
	if (write && unshielded != (a->gpa >> PAGE_SHIFT))
		return "shadow_unshield() must be called for the frame that is written to";
	if (!write && ~unshielded)
		return "shadow_unshield() is for writes only";
	return NULL;
}

/* A fault of the guest, whose tables are random. */
static const char *one_fault(struct vcpu *vcpu)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct guest_walk w = {.mode = &vcpu->shadow->mode, .vm = vcpu->vm};
	struct page_fault fault = {.kind = FAULT_GUEST_PAGING};
	gpa_t gpa = FREE + lab_random() % (RAM - FREE);
	u64 index = gpa >> PAGE_SHIFT & 511, *table = oracle_entry(vcpu->vm, TABLE(1));
	u64 counts[NR_MMU_OUTCOMES];
	const char *why = NULL;
	struct answer a;

	/* The same address in a page of 4 KiB, 2 MiB or 1 GiB. */
	fault.address = w.gva = ALIGN_DOWN(random_gva(), GIB(1)) | gpa;
	make_tables(vcpu->vm, w.gva, ALIGN_DOWN(gpa, PAGE_SIZE), true);
	table[index ^ 1] = (TABLES - PAGE_SIZE) | PT_P | PT_A; /* its neighbour */
	fault.error_code = w.access = random_access();
	vcpu->vm->shadow_ops->load(vcpu);
	walk_begin(&w);
	oracle_walk(&w, true, &a);
	memcpy(counts, vcpu->mmu_outcomes, sizeof(counts));
	memset(shadow->globals, 0, sizeof(shadow->globals));
	unshielded = ~0ull;
	vcpu->event.valid = false;
	if (shadow_page_fault(vcpu, &fault) != 1)
		why = "the value that the handler returns must be 1";
	look(vcpu, w.gva);
	if (!why && a.fault)
		why = vcpu->event.valid && vcpu->event.error_code == a.error
			      ? NULL
			      : "the guest must get its page fault, with its error code";
	else if (!why && counts[MMU_FIXED] + 1 != vcpu->mmu_outcomes[MMU_FIXED])
		why = "fix_map must return 0 when it has written the entry";
	else if (!why)
		why = wrong_tables(&w, &a);
	if (!why && !a.fault && a.entry[a.level] & PT_G && !shadow_has_globals(shadow, w.gva))
		why = "shadow_note_global() must be called for a global page";
	if (!why && !a.fault) {
		shadow_page_fault(vcpu, &fault);
		if (counts[MMU_SPURIOUS] + 1 != vcpu->mmu_outcomes[MMU_SPURIOUS])
			why = "fix_map must return -EEXIST when the entry is there already";
	}
	if (why)
		pr_info("# %lx, access %x, WP %d, the guest's entries from level 4: %lx %lx %lx "
			"%lx; "
			"shadow: %lx %lx %lx %lx\n",
			w.gva, w.access, w.mode->wp, a.entry[4], a.entry[3], a.entry[2], a.entry[1],
			spte[4], spte[3], spte[2], spte[1]);
	if (!why && !a.fault && a.level == 1) {
		look(vcpu, w.gva ^ PAGE_SIZE);
		if (!(spte[1] & PT_P))
			why = "the neighbours must be made, too: shadow_prefetch_around()";
	}
	return why;
}

static bool no_page_free;
static unsigned links;

struct mmu_page *__wrap_fix_link(struct fix *fix, struct mmu_page *page, int level)
{
	links++;
	return no_page_free ? NULL : __real_fix_link(fix, page, level);
}

/* There is no page to begin at; and the page below it cannot be made. */
static const char *without_pages(struct vcpu *vcpu)
{
	struct mmu_page top;
	struct fix fix;
	int r;

	memset(&fix, 0, sizeof(fix));
	memset(&top, 0, sizeof(top));
	fix.vcpu = vcpu;
	fix.walk.mode = &vcpu->shadow->mode;
	fix.level = 1;
	if (fix_map(&fix) != -ENOMEM)
		return "fix_map must return -ENOMEM if there is no page";
	top.role.level = 3;
	fix.page = &top;
	no_page_free = true;
	links = 0;
	r = fix_map(&fix);
	no_page_free = false;
	return r == -ENOMEM && links == 1 ? NULL
					  : "fix_map must return -ENOMEM if fix_link() gives none";
}

const char *check_map(struct vcpu *vcpu)
{
	u64 cr0 = virt->get_sysreg(vcpu, SYSREG_CR0), cr3 = virt->get_sysreg(vcpu, SYSREG_CR3);
	u64 rflags = virt->get_sysreg(vcpu, SYSREG_RFLAGS);
	const char *why = without_pages(vcpu);

	virt->set_sysreg(vcpu, SYSREG_CR3, TABLES);
	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		virt->set_sysreg(vcpu, SYSREG_CR0, i % 2 ? cr0 | CR0_WP : cr0 & ~CR0_WP);
		why = one_fault(vcpu);
		if (i % 32 == 31)
			vcpu->vm->shadow_ops->drop(vcpu->vm);
	}
	virt->set_sysreg(vcpu, SYSREG_CR0, cr0);
	virt->set_sysreg(vcpu, SYSREG_CR3, cr3);
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, rflags);
	memset(oracle_entry(vcpu->vm, TABLES), 0, NR_TABLES * PAGE_SIZE);
	vcpu->event.valid = false;
	vcpu->requests &= ~(u32)REQ_EVENT;
	memset(vcpu->mmu_outcomes, 0, sizeof(vcpu->mmu_outcomes));
	vcpu->shadow->expected_page = NULL;
	vcpu->vm->shadow_ops->drop(vcpu->vm);
	return why;
}
