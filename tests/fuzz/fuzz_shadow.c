// SPDX-License-Identifier: MIT
/*
 * Fuzz the shadow page tables: the input makes guests' tables, changes and invalidates them, and
 * accesses memory. The CPU is simulated: it walks the shadow tables, as they are in the pool, and
 * what does not pass there is a #PF for shadow/. What comes out must be what the SDM allows after
 * the changes so far: guests/paging/walk.c walks the guest's own tables, with the values that each
 * entry has had since the last invalidation, but no mixture of values from before and after an
 * INVLPG, which invalidates all paging-structure caches; and only with the values of now where the
 * last access was a #PF, which invalidates what is cached of its address. And nothing that the
 * second-level tables keep from the guest is ever mapped.
 */
#include "tests/fuzz/fuzz.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "guests/paging/walk.h"
#include "shadow/shadow.h"
#include "vmm/exception.h"
#include "vmm/memslot.h"
#include "vmm/room.h"
#include "vmm/step.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

/* The guest's memory: tables, then pages, from address 0 on. Behind them, hidden pages; behind
 * these, nothing up to 2 MiB. */
#define TABLES     8u
#define PAGES      8u
#define MEMORY     ((TABLES + PAGES) * PAGE_SIZE)
#define READ_ONLY  (MEMORY - PAGE_SIZE)
#define HIDDEN_END (MEMORY + 4 * PAGE_SIZE)
#define PHYS_BITS  40
#define VCPUS      2
#define POOL_PA    GIB(2)
#define POOL_SIZE  (PAGE_SIZE * 160)
#define SLOTS      5u /* of each table, those in use */
#define VERSIONS   3u
#define PCIDS      2u
#define MARK       0xcc /* what the guest writes */

static const u16 slots[SLOTS] = {0, 1, 255, 256, 511};
/* What entries lead to beside tables and pages; see ept_walk(). */
static const u64 far[] = {MIB(2), MIB(4), GIB(1), BIT(36)};

/* The values of the entries, and those that they have had since an invalidation. */
typedef u64 entries[TABLES][SLOTS];

struct history {
	u64 value[TABLES][SLOTS][VERSIONS];
	u8 count[TABLES][SLOTS];
	u8 sealed[TABLES][SLOTS]; /* the count at the last INVLPG; 0: none */
};

struct cpu_state {
	u64 cr0, cr3, cr4, efer, rflags;
	bool cpl3;
	u64 shadow_cr3; /* of the CPU itself */
	u32 pkru;
	bool global; /* there may be global entries that are older than the history */
	struct history history[PCIDS];
};

static u8 memory[MEMORY] __aligned(4096);
static u8 pool[POOL_SIZE] __aligned(4096);
static u64 shield[PAGE_SIZE / 8];
static u64 host; /* host-physical minus guest-physical addresses */
static struct vm vm;
static struct vcpu vcpus[VCPUS];
static struct cpu_state states[VCPUS];
static struct shadow shadow;
static struct shadow_vcpu shadow_vcpus[VCPUS];

/* What the last fault came to. */
static enum { NOTHING, REFLECTED, SECOND_LEVEL } outcome;
static u32 reflected_error;
static u64 refused_gpa;

static struct cpu_state *cpu_of(const struct vcpu *vcpu)
{
	return &states[vcpu - vcpus];
}

/* ---- What shadow/ calls --------------------------------------------------------------------- */

u64 virt_to_phys(const void *p)
{
	u64 of_pool = (u64)p - (u64)pool, of_memory = (u64)p - (u64)memory;

	if (of_memory < MEMORY)
		return host + of_memory;
	return of_pool < sizeof(pool) ? POOL_PA + of_pool : (u64)p;
}

u64 gfn_to_hva(struct vm *of, gfn_t gfn)
{
	(void)of;
	return gfn < MEMORY >> PAGE_SHIFT ? (u64)memory + (gfn << PAGE_SHIFT) : 0;
}

/* The second-level tables. */
bool ept_walk(const struct ept *ept, gpa_t gpa, struct ept_mapping *map)
{
	(void)ept;
	*map = (struct ept_mapping){.size = PAGE_SIZE, .level = 1};
	if (gpa < MEMORY)
		map->prot = gpa < READ_ONLY ? EPT_RWX : EPT_R;
	else if (gpa >= MIB(2) && gpa < MIB(4))
		*map = (struct ept_mapping){.size = MIB(2), .prot = EPT_RWX, .level = 2};
	else if (gpa >= MIB(4) && gpa < MIB(6))
		*map = (struct ept_mapping){.size = MIB(2), .prot = EPT_R, .level = 2};
	else if (gpa >= GIB(1) && gpa < GIB(2))
		*map = (struct ept_mapping){.size = GIB(1), .prot = EPT_RWX, .level = 3};
	else if (gpa >= MIB(2))
		map->size = gpa < GIB(2) ? MIB(2) : GIB(1);
	map->hpa = map->prot ? host + gpa : 0;
	return map->prot;
}

int reflect_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	(void)vcpu;
	outcome = REFLECTED;
	reflected_error = fault->error_code;
	return 1;
}

int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	(void)vcpu;
	if (fault->kind != FAULT_SECOND_LEVEL)
		abort();
	outcome = SECOND_LEVEL;
	refused_gpa = fault->address;
	return 1;
}

void vcpu_make_request(struct vcpu *vcpu, u32 request)
{
	vcpu->requests |= request;
}

void intercept_exceptions(struct vcpu *vcpu, enum exception_user user, u32 vectors)
{
	vcpu->exceptions[user] = vectors;
}

/* Until the instruction under way has ended. */
static void (*after_step)(struct vcpu *vcpu);

void vcpu_step(struct vcpu *vcpu, enum step_user user, void (*then)(struct vcpu *vcpu))
{
	(void)vcpu;
	(void)user;
	after_step = then;
}

static u64 get_sysreg(struct vcpu *vcpu, enum sysreg reg)
{
	const struct cpu_state *cpu = cpu_of(vcpu);

	switch (reg) {
	case SYSREG_CR0:
		return cpu->cr0;
	case SYSREG_CR3:
		return cpu->cr3;
	case SYSREG_CR4:
		return cpu->cr4;
	case SYSREG_EFER:
		return cpu->efer;
	case SYSREG_RFLAGS:
		return cpu->rflags;
	default:
		abort();
	}
}

static const struct vcpu *running;

unsigned guest_cpl(struct vcpu *vcpu)
{
	return cpu_of(vcpu)->cpl3 ? 3 : 0;
}

u32 guest_keys(bool user)
{
	return user ? cpu_of(running)->pkru : 0;
}

void get_paging_mode(struct vcpu *vcpu, struct paging_mode *mode)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	bool large = cpu->cr4 & CR4_PAE;

	*mode = (struct paging_mode){
		.levels = !(cpu->cr0 & CR0_PG)   ? 0
			  : cpu->efer & EFER_LMA ? 4
			  : large                ? 3
						 : 2,
		.entry_size = large ? 8 : 4,
		.index_bits = large ? 9 : 10,
		.phys_bits = PHYS_BITS,
		.pse = cpu->cr4 & CR4_PSE,
		.page_1g = true,
		.nx = cpu->efer & EFER_NX,
		.wp = cpu->cr0 & CR0_WP,
		.smep = cpu->cr4 & CR4_SMEP,
		.smap = cpu->cr4 & CR4_SMAP,
		.pke = cpu->cr4 & CR4_PKE,
		.pdpte = vcpu->pdpte,
		.root = cpu->cr3 & (cpu->efer & EFER_LMA ? PT_ADDR : GENMASK(31, 12)),
	};
}

static void use_shadow(struct vcpu *vcpu, u64 cr3)
{
	states[vcpu - vcpus].shadow_cr3 = cr3;
}

static void flush_guest_tlb(struct vcpu *vcpu)
{
	(void)vcpu;
}

struct virt_ops virt_ops = {
	.get_sysreg = get_sysreg,
	.use_shadow = use_shadow,
	.flush_guest_tlb = flush_guest_tlb,
};

/* ---- The history of entries ----------------------------------------------------------------- */

static u64 *slot(unsigned table, unsigned n)
{
	return (u64 *)(memory + table * PAGE_SIZE) + slots[n];
}

static void copy_entries(entries to)
{
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++)
			to[t][n] = *slot(t, n);
}

static void write_entries(entries from)
{
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++)
			*slot(t, n) = from[t][n];
}

static void forget_history(struct history *h)
{
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++) {
			h->value[t][n][0] = *slot(t, n);
			h->count[t][n] = 1;
			h->sealed[t][n] = 0;
		}
}

static void flush_everything(struct cpu_state *cpu)
{
	cpu->global = false;
	for (unsigned i = 0; i < PCIDS; i++)
		forget_history(&cpu->history[i]);
}

/* Nobody has written but to entries, and the guest. */
static void check_rest(void)
{
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++)
			*slot(t, n) = 0;
	for (unsigned at = 0; at < MEMORY; at++)
		if (memory[at] && memory[at] != MARK)
			abort();
}

static void enter(struct vcpu *vcpu)
{
	running = vcpu;
	if (!(vcpu->requests & REQ_SHADOW))
		return;
	vcpu->requests &= ~(u32)REQ_SHADOW;
	shadow_load(vcpu);
}

static void invalidate_everything(struct vcpu *vcpu)
{
	enter(vcpu);
	shadow_invalidate(vcpu, INVALIDATE_ALL, 0, 0);
	flush_everything(cpu_of(vcpu));
}

/* Flags that the CPU sets, in entries of 8 bytes and of 4: then an entry leads where it has led. */
#define FLAGS ((PT_A | PT_D) | (PT_A | PT_D) << 32)

/* Add a new value of an entry. Returns false if there is no room. */
static bool add_version(struct history *h, unsigned table, unsigned n)
{
	u64 *value = h->value[table][n], now = *slot(table, n);
	u8 *count = &h->count[table][n];

	if (!((value[*count - 1] ^ now) & ~(now & FLAGS))) {
		value[*count - 1] = now;
		return true;
	}
	if (*count == VERSIONS)
		return false;
	value[(*count)++] = now;
	return true;
}

/* The guest, or the CPU, has written to memory: add what has changed. */
static void note_changes(void)
{
	for (unsigned c = 0; c < VCPUS; c++) {
		bool good = true;

		for (unsigned i = 0; i < PCIDS; i++)
			for (unsigned t = 0; t < TABLES; t++)
				for (unsigned n = 0; n < SLOTS; n++)
					good &= add_version(&states[c].history[i], t, n);
		if (!good && c < vm.nr_vcpus)
			invalidate_everything(&vcpus[c]);
	}
}

/* ---- The guest's walk, as the SDM has it ---------------------------------------------------- */

/* A walk with one choice of versions; or of the tables as they are, without a history. */
struct path {
	const struct history *history;
	unsigned choice[WALK_LEVELS], choices[WALK_LEVELS], depth;
	bool has_old, has_new; /* a value that an INVLPG has found replaced; and a later one */
	u64 at[WALK_LEVELS], value[WALK_LEVELS];
	unsigned count;
};

static void *guest_entry_at(void *memory_of, int level, u64 pa)
{
	struct path *path = memory_of;
	unsigned depth = path->depth++, table = (unsigned)(pa / PAGE_SIZE), n;
	u64 at = pa & ~7ull, value;

	(void)level;
	if (pa >= MEMORY)
		return NULL;
	value = *(u64 *)(memory + at);
	for (n = 0; n < SLOTS && slots[n] != at % PAGE_SIZE / 8; n++)
		;
	path->choices[depth] = 1;
	if (path->history && table < TABLES && n < SLOTS) {
		unsigned sealed = path->history->sealed[table][n];

		path->choices[depth] = path->history->count[table][n];
		value = path->history->value[table][n][path->choice[depth]];
		path->has_old |= path->choice[depth] + 1 < sealed;
		path->has_new |= path->choice[depth] >= sealed;
	}
	if (!path->history)
		for (unsigned i = 0; i < path->count; i++)
			if (path->at[i] == at)
				return (u8 *)&path->value[i] + pa % 8;
	path->at[path->count] = at;
	path->value[path->count] = value;
	return (u8 *)&path->value[path->count++] + pa % 8;
}

static struct walk_mode sdm_mode(const struct vcpu *vcpu)
{
	const struct cpu_state *cpu = cpu_of(vcpu);

	return (struct walk_mode){
		.levels = cpu->efer & EFER_LMA ? 4
			  : cpu->cr4 & CR4_PAE ? 3
					       : 2,
		.phys_bits = PHYS_BITS,
		.gib_pages = true,
		.wp = cpu->cr0 & CR0_WP,
		.pse = cpu->cr4 & CR4_PSE,
		.nxe = cpu->efer & EFER_NX,
		.smep = cpu->cr4 & CR4_SMEP,
		.smap = cpu->cr4 & CR4_SMAP,
		.pke = cpu->cr4 & CR4_PKE,
		.pkru = cpu->pkru,
		.cr3 = cpu->cr3,
		.pdpte = vcpu->pdpte,
	};
}

static struct walk_answer guest_walks(const struct vcpu *vcpu, const struct walk_access *access,
				      struct path *path)
{
	struct walk_mode mode = sdm_mode(vcpu);
	struct walk_answer answer = {.pa = access->va};

	path->depth = path->count = 0;
	path->has_old = path->has_new = false;
	return cpu_of(vcpu)->cr0 & CR0_PG ? sdm_walk(&mode, access, guest_entry_at, path) : answer;
}

/* ---- The CPU's walk, of the shadow tables --------------------------------------------------- */

static void *shadow_entry_at(void *unused, int level, u64 pa)
{
	(void)unused;
	(void)level;
	if (pa - POOL_PA >= (shadow.nr + 1ull) * PAGE_SIZE)
		abort(); /* a table outside of the pool and the empty one behind it */
	return pool + (pa - POOL_PA);
}

static struct walk_answer cpu_walks(struct vcpu *vcpu, const struct walk_access *access)
{
	const struct shadow_vcpu *v = vcpu->shadow;
	struct walk_mode mode = sdm_mode(vcpu);

	mode.wp = mode.nxe = true;
	mode.pdpte = v->pae_root;
	if (!(cpu_of(vcpu)->cr0 & CR0_PG))
		mode.smep = mode.smap = mode.pke = false;
	if (mode.levels < 4) {
		mode.levels = 3;
		return sdm_walk(&mode, access, shadow_entry_at, NULL);
	}
	mode.cr3 = cpu_of(vcpu)->shadow_cr3;
	return sdm_walk(&mode, access, shadow_entry_at, NULL);
}

/* What the entry @spte maps is allowed by the second-level tables; or it is a table of the pool. */
static void check_spte(u64 spte, int level)
{
	u64 hpa = spte & PT_ADDR, size = spte_size(level);
	struct ept_mapping map;

	if (!is_leaf_spte(spte, level)) {
		if (hpa - POOL_PA >= shadow.nr * PAGE_SIZE)
			abort();
		return;
	}
	hpa = ALIGN_DOWN(hpa, size);
	if (!ept_walk(NULL, hpa - host, &map) || map.size < size)
		abort(); /* hidden, at least in part */
	if ((spte & PT_W && !(map.prot & EPT_W)) || (!(spte & PT_NX) && !(map.prot & EPT_X)))
		abort();
}

/* Check all entries; @all: also whether the pages know which of them are present. */
static void check_all_mapped(bool all)
{
	for (unsigned i = 0; i < shadow.nr; i++) {
		const struct mmu_page *page = &shadow.page[i];

		for (unsigned n = 0; page->used && all && n < SPTE_ENTRIES; n++)
			if (!page->spt[n] != !(page->present[n / 64] & BIT(n % 64)))
				abort();
		for (unsigned word = 0; page->used && word < BITMAP_WORDS; word++)
			for (u64 bits = page->present[word]; bits; bits &= bits - 1)
				check_spte(page->spt[word * 64 + (unsigned)__builtin_ctzll(bits)],
					   (int)page->role.level);
	}
}

/* ---- What the guest does -------------------------------------------------------------------- */

/* Is the answer to an access one that the versions since the last invalidation allow? */
static bool is_permitted(const struct vcpu *vcpu, const struct walk_access *access, u64 pa)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	struct path path = {.history = &cpu->history[cpu->cr3 & 1]};

	for (;;) {
		struct walk_answer answer = guest_walks(vcpu, access, &path);
		unsigned i;

		bool same =
			outcome == REFLECTED
				? answer.fault && answer.error == reflected_error
				: !answer.fault && (outcome == SECOND_LEVEL
							    ? (answer.pa ^ refused_gpa) < PAGE_SIZE
							    : answer.pa == pa);

		if (same && !(path.has_old && path.has_new))
			return true;
		for (i = path.depth; i && path.choice[i - 1] + 1 >= path.choices[i - 1]; i--)
			path.choice[i - 1] = 0;
		if (!i)
			return false;
		path.choice[i - 1]++;
	}
}

/* Does the access as the tables are now have this outcome, with the flags that it sets? @before,
 * @after: the entries. */
static bool is_exact(const struct vcpu *vcpu, const struct walk_access *access, u64 pa,
		     entries before, entries after)
{
	struct path path = {.history = NULL};
	struct walk_answer answer;
	struct ept_mapping map;
	unsigned need = access->fetch ? EPT_X : access->write ? EPT_W : EPT_R;
	u64 free = 0;

	write_entries(before);
	answer = guest_walks(vcpu, access, &path);
	for (unsigned i = 0; i < path.count; i++)
		if (!answer.fault)
			memcpy(memory + path.at[i], &path.value[i], 8);
	/* The CPU may set accessed flags though it refuses the access. */
	if (answer.fault && access->implicit)
		free = FLAGS & ~((u64)PT_D << 32 | PT_D);
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++)
			if ((*slot(t, n) ^ after[t][n]) & ~free)
				return false;
	if (answer.fault)
		return outcome == REFLECTED && reflected_error == answer.error;
	if (!ept_walk(NULL, answer.pa, &map) || !(map.prot & need))
		return outcome == SECOND_LEVEL && (refused_gpa ^ answer.pa) < PAGE_SIZE;
	return outcome == NOTHING && pa == answer.pa;
}

/* What is there for one instruction of @vcpu only, must not let another CPU do what its guest's
 * tables do not allow. */
static void check_others(const struct vcpu *vcpu, u64 va)
{
	const struct walk_access read = {.va = va};

	for (unsigned c = 0; c < vm.nr_vcpus; c++) {
		struct walk_answer answer;

		if (&vcpus[c] == vcpu || vcpus[c].requests & REQ_SHADOW)
			continue;
		running = &vcpus[c];
		answer = cpu_walks(&vcpus[c], &read);
		if (!answer.fault && !is_permitted(&vcpus[c], &read, answer.pa - host))
			abort();
	}
	running = vcpu;
}

static void end_step(struct vcpu *vcpu)
{
	if (after_step)
		after_step(vcpu);
	after_step = NULL;
}

static bool goes_on; /* the instruction does not end with this access */

/* The access, as a CPU does it: what its tables do not allow is a fault, and then it tries again.
 * Returns the guest-physical address, if the outcome is NOTHING. */
static u64 access_memory(struct vcpu *vcpu, const struct walk_access *access)
{
	for (int tries = 0; tries < 8; tries++) {
		struct walk_answer answer;
		struct page_fault fault = {.kind = FAULT_GUEST_PAGING, .address = access->va};

		/* Where pages are short, the other CPUs' requests are waited for. */
		for (unsigned c = 0; c < vm.nr_vcpus && tries > 2; c++)
			enter(&vcpus[c]);
		enter(vcpu);
		outcome = NOTHING;
		answer = cpu_walks(vcpu, access);
		if (!answer.fault) {
			if (after_step && access->va >> 63 == (access->va >> 47 & 1))
				check_others(vcpu, access->va);
			if (!goes_on)
				end_step(vcpu);
			return answer.pa - host;
		}
		if (answer.error & PF_ERROR_RSVD)
			abort();
		fault.error_code = answer.error;
		if (access->fetch)
			fault.error_code |= PF_ERROR_FETCH; /* EFER.NXE is set in hardware */
		vcpu->page_fault(vcpu, &fault);
		if (outcome != NOTHING) {
			end_step(vcpu);
			return 0;
		}
	}
	abort(); /* no progress */
}

/* Say what an access did, for who looks into a failure. */
static void tell(struct vcpu *vcpu, const struct walk_access *access, bool exact, u64 pa)
{
	static const char *const outcomes[] = {"none", "#PF", "second level"};
	const struct cpu_state *cpu = cpu_of(vcpu);
	struct path path = {.history = NULL};
	struct walk_answer answer = guest_walks(vcpu, access, &path);

	fprintf(stderr, "CPU %u, CR0 %lx CR3 %lx CR4 %lx EFER %lx PKRU %x, %s, history %s\n",
		(unsigned)(vcpu - vcpus), cpu->cr0, cpu->cr3, cpu->cr4, cpu->efer, cpu->pkru,
		exact ? "exact" : "stale", cpu->global ? "with global pages" : "without");
	fprintf(stderr, "%s%s%s%s at %lx: fault: %s; error %x, gpa %lx; or pa %lx\n",
		access->user ? "user " : "", access->ac ? "AC " : "",
		access->write ? "write" : "read", access->fetch ? " (fetch)" : "", access->va,
		outcomes[outcome], reflected_error, refused_gpa, pa);
	fprintf(stderr, "the walk now: %s error %x, pa %lx\n", answer.fault ? "#PF" : "no fault",
		answer.error, answer.pa);
	for (unsigned i = 0; i < path.count; i++)
		fprintf(stderr, "  at %lx: %lx\n", path.at[i], path.value[i]);
}

/* @exact: nothing that has changed is left to be invalidated, for this address. */
static void access_and_check(struct vcpu *vcpu, const struct walk_access *access, bool exact)
{
	struct walk_access seen = *access;
	entries before, after;
	u64 pa;
	bool good;

	copy_entries(before);
	pa = access_memory(vcpu, access);
	copy_entries(after);
	seen.implicit &= outcome != SECOND_LEVEL; /* see overrides_smap() */
	good = exact ? is_exact(vcpu, &seen, pa, before, after) : is_permitted(vcpu, &seen, pa);
	write_entries(after);
	if (!good) {
		tell(vcpu, access, exact, pa);
		abort();
	}
	if (outcome == NOTHING && access->write && pa < MEMORY)
		memory[pa] = MARK;
	note_changes();
}

struct input {
	const uint8_t *data;
	size_t size;
};

static u8 byte(struct input *in)
{
	u8 value = 0;

	take(&in->data, &in->size, &value, 1);
	return value;
}

static u64 some_address(struct input *in, const struct vcpu *vcpu)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	bool large = cpu->cr4 & CR4_PAE;
	u64 va = (u64)(byte(in) & 7) * 8;

	for (int level = 1; level <= (cpu->efer & EFER_LMA ? 4 : 2); level++) {
		u8 b = byte(in);
		u64 index = slots[b % SLOTS];

		va |= large ? index << (9 * level + 3) : (2 * index + (b >> 7)) << (10 * level + 2);
	}
	if (cpu->efer & EFER_LMA)
		return va & BIT(47) ? va | GENMASK(63, 48) : va;
	return (u32)(large ? va | (u64)(byte(in) & 3) << 30 : va);
}

/* An entry, of 4 bytes or 8. */
static void change(struct input *in, struct vcpu *vcpu)
{
	bool large = cpu_of(vcpu)->cr4 & CR4_PAE;
	u8 where = byte(in), to = byte(in), flags = byte(in), more = byte(in);
	unsigned table = where % TABLES, n = where / TABLES % SLOTS;
	u64 entry = (u64)(to % (TABLES + PAGES + 2)) << PAGE_SHIFT;

	if (to >= 0xc0)
		entry = far[to % ARRAY_SIZE(far)] | (to & 0x20 ? PT_PS : 0);
	entry |= ~flags & 7; /* mostly with all rights */
	entry |= (u64)(flags & 0x78) << 2;
	entry |= more & 1 ? PT_NX : 0;
	entry |= more & 2 ? PT_G : 0;
	if (cpu_of(vcpu)->efer & EFER_LMA)
		entry |= (u64)(where >> 6) << 59; /* the protection key */
	entry |= more & 4 ? BIT(13 + (more >> 3)) & ~FLAGS : 0;
	shadow_written(&vm, table * PAGE_SIZE); /* as a write that is emulated */
	if (large)
		*slot(table, n) = entry;
	else
		((u32 *)slot(table, n))[more >> 7] = (u32)entry;
	note_changes();
	for (unsigned c = 0; c < VCPUS; c++)
		states[c].global |= more & 2 && states[c].cr4 & CR4_PGE;
}

/* The PDPTEs that MOV to CR3 loads: the CPU refuses reserved bits. */
static void load_pdptes(struct vcpu *vcpu)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	const u64 *table = (u64 *)(memory + (cpu->cr3 & GENMASK(31, 12)));

	for (unsigned i = 0; i < 4 && cpu->cr4 & CR4_PAE && !(cpu->efer & EFER_LMA); i++)
		vcpu->pdpte[i] = table[i] & (GENMASK(PHYS_BITS - 1, 12) | PT_P);
}

/* After a change of control registers. */
static void change_mode(struct input *in, struct vcpu *vcpu)
{
	struct cpu_state *cpu = cpu_of(vcpu);
	u8 bits = byte(in), kind = byte(in);

	cpu->cr0 = CR0_PE | (kind % 8 != 7 ? CR0_PG : 0) | (bits & 1 ? CR0_WP : 0);
	cpu->cr4 = (kind % 8 < 2 ? 0 : CR4_PAE) | (bits & 2 ? CR4_PSE : 0) |
		   (bits & 4 ? CR4_PGE : 0) | (bits & 8 ? CR4_SMEP : 0) |
		   (bits & 16 ? CR4_SMAP : 0) | (bits & 32 ? CR4_PKE : 0);
	cpu->efer = (bits & 64 ? EFER_NX : 0) | (kind % 8 >= 4 && kind % 8 < 7 ? EFER_LMA : 0);
	if (cpu->efer & EFER_LMA && bits & 128)
		cpu->cr4 |= CR4_PCIDE;
	cpu->cr3 &= ~0xfffull;
	if (kind & 0x80) {
		/* The same as another CPU's, which then uses the same shadow pages. */
		const struct cpu_state *other = &states[vcpu == vcpus];

		cpu->cr0 = other->cr0, cpu->cr3 = other->cr3, cpu->cr4 = other->cr4;
		cpu->efer = other->efer;
	}
	load_pdptes(vcpu);
	vcpu_make_request(vcpu, REQ_SHADOW);
	flush_everything(cpu);
}

static void move_to_cr3(struct input *in, struct vcpu *vcpu)
{
	struct cpu_state *cpu = cpu_of(vcpu);
	u8 b = byte(in);
	bool pcid = cpu->cr4 & CR4_PCIDE, keep = pcid && b & 0x80;

	enter(vcpu);
	cpu->cr3 = (u64)(b % TABLES) << PAGE_SHIFT | (pcid ? b >> 6 & 1 : 0);
	load_pdptes(vcpu);
	shadow_new_cr3(vcpu, cpu->cr3, keep);
	if (!keep && !cpu->global)
		forget_history(&cpu->history[cpu->cr3 & 1]);
}

static void invlpg(struct vcpu *vcpu, u64 va)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	struct history *h = &states[vcpu - vcpus].history[cpu->cr3 & 1];

	enter(vcpu);
	shadow_invalidate(vcpu, INVALIDATE_PAGE, cpu->cr3 & 1, va);
	memcpy(h->sealed, h->count, sizeof(h->count));
}

static void invalidate(struct input *in, struct vcpu *vcpu)
{
	struct cpu_state *cpu = cpu_of(vcpu);
	u8 b = byte(in);
	u16 pcid = cpu->cr4 & CR4_PCIDE ? b >> 7 : 0;

	enter(vcpu);
	switch (b % 4) {
	case 0:
		invlpg(vcpu, some_address(in, vcpu));
		break;
	case 1:
		shadow_invalidate(vcpu, INVALIDATE_PCID, pcid, 0);
		if (!cpu->global)
			forget_history(&cpu->history[pcid]);
		break;
	case 2:
		shadow_invalidate(vcpu, INVALIDATE_LOCAL, 0, 0);
		for (unsigned i = 0; i < PCIDS && !cpu->global; i++)
			forget_history(&cpu->history[i]);
		break;
	default:
		invalidate_everything(vcpu);
	}
}

/* Has anything changed that this CPU may not know of? */
static bool is_pending(const struct vcpu *vcpu)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	const struct history *h = &cpu->history[cpu->cr3 & 1];

	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++)
			if (h->count[t][n] > 1)
				return true;
	return cpu->global;
}

/* Is the translation of @va that of a page of 4 MiB, by all values that its entry has had? */
static bool is_4m_page(const struct vcpu *vcpu, u64 va)
{
	const struct cpu_state *cpu = cpu_of(vcpu);
	const struct history *h = &cpu->history[cpu->cr3 & 1];
	unsigned table = (unsigned)(cpu->cr3 >> PAGE_SHIFT), index = va >> 22 & 1023, n;

	if (!(cpu->cr0 & CR0_PG) || cpu->cr4 & CR4_PAE || !(cpu->cr4 & CR4_PSE) || table >= TABLES)
		return false;
	for (n = 0; n < SLOTS && slots[n] != index / 2; n++)
		;
	for (unsigned i = 0; n < SLOTS && i < h->count[table][n]; i++)
		if (!((u32)(h->value[table][n][i] >> 32 * (index & 1)) & PT_PS))
			return false;
	return n < SLOTS;
}

static void access_some(struct input *in, struct vcpu *vcpu)
{
	struct cpu_state *cpu = cpu_of(vcpu);
	struct walk_access access = {.va = some_address(in, vcpu)};
	u8 kind = byte(in);
	bool exact = !is_pending(vcpu);

	access.write = kind % 3 == 1;
	access.fetch = kind % 3 == 2;
	access.user = kind & 0x80;
	access.ac = kind & 0x40;
	access.implicit = kind & 4 && !access.write && !access.fetch && !access.user;
	/* All keys but 0 forbid access, or writes, or nothing. */
	cpu->pkru = !(kind & 0x10) ? 0 : kind & 8 ? 0x55555554 : 0xaaaaaaa8;
	cpu->cpl3 = access.user;
	cpu->rflags = access.ac ? RFLAGS_AC : 0;
	if (!exact && kind & 0x20) {
		/* INVLPG of any address in a page is for all of it. */
		invlpg(vcpu, is_4m_page(vcpu, access.va) ? access.va ^ MIB(2) : access.va);
		exact = true;
	}
	access_and_check(vcpu, &access, exact);
	if (outcome != REFLECTED)
		return;
	access.write = access.fetch = false;
	access_and_check(vcpu, &access, true);
}

/* One instruction of the supervisor's writes to many places. */
static void scatter(struct input *in, struct vcpu *vcpu)
{
	struct cpu_state *cpu = cpu_of(vcpu);

	cpu->cpl3 = false;
	cpu->rflags = RFLAGS_AC;
	for (unsigned i = 0; i < 7; i++) {
		struct walk_access access = {.write = true, .ac = true};

		access.va = some_address(in, vcpu);
		goes_on = i < 6;
		access_and_check(vcpu, &access, !is_pending(vcpu));
	}
}

/* Take all tables for calm, and shield them from the guest. */
static void shield_all(struct vcpu *vcpu)
{
	enter(vcpu);
	for (unsigned i = 0; i < shadow.nr; i++)
		shadow.page[i].calm = 255;
	shadow_shield(vcpu);
}

/* With one vCPU, guest-physical are host-physical addresses, and tables may be shielded. */
static void start(unsigned nr_vcpus)
{
	memset(memory, 0, sizeof(memory));
	memset(vcpus, 0, sizeof(vcpus));
	memset(&shadow, 0, sizeof(shadow));
	memset(shadow_vcpus, 0, sizeof(shadow_vcpus));
	memset(&vm, 0, sizeof(vm));
	after_step = NULL;
	goes_on = false;
	if (!shadow_pool_init(&shadow, pool, sizeof(pool)))
		abort();
	memset(shield, 0, sizeof(shield));
	shadow_shield_init(&shadow, shield, MEMORY >> PAGE_SHIFT);
	host = nr_vcpus == 1 ? 0 : GIB(8);
	shadow.vm = &vm;
	vm.shadow = &shadow;
	vm.phys_bits = PHYS_BITS;
	vm.page_1g = true;
	for (unsigned i = 0; i < VCPUS; i++) {
		vcpus[i].vm = &vm;
		vcpus[i].id = i;
		vcpus[i].shadow = &shadow_vcpus[i];
		vcpus[i].requests = REQ_SHADOW;
		if (i < nr_vcpus)
			vm.vcpus[vm.nr_vcpus++] = &vcpus[i];
		states[i] = (struct cpu_state){.cr0 = CR0_PE | CR0_PG | CR0_WP,
					       .cr4 = CR4_PAE,
					       .efer = EFER_LMA | EFER_NX};
	}
	states[0].cr4 |= CR4_PKE;
	states[1].cr4 |= CR4_PCIDE;
	/* Tables to begin with: each entry of table n leads to a later one, or a page. */
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned n = 0; n < SLOTS; n++)
			*slot(t, n) = (t + 1 + n) << PAGE_SHIFT | PT_P | PT_W | PT_U;
	for (unsigned i = 0; i < VCPUS; i++)
		flush_everything(&states[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, MIN(size, 500)};

	start(1 + (byte(&in) & 1));
	while (in.size) {
		u8 what = byte(&in);
		struct vcpu *vcpu = &vcpus[(what >> 7) % vm.nr_vcpus];

		switch (what & 15) {
		case 0:
			change_mode(&in, vcpu);
			break;
		case 1:
			move_to_cr3(&in, vcpu);
			break;
		case 2:
			invalidate(&in, vcpu);
			break;
		case 3:
			if (what & 0x40)
				shadow_drop(&vm);
			else if (vm.nr_vcpus == 1)
				shield_all(vcpu);
			break;
		case 4:
		case 5:
		case 6:
			change(&in, vcpu);
			break;
		case 7:
			scatter(&in, vcpu);
			break;
		default:
			access_some(&in, vcpu);
		}
		check_all_mapped(false);
	}
	check_all_mapped(true);
	check_rest();
	return 0;
}
