/* SPDX-License-Identifier: MIT */
/*
 * The commands on views of the guest's memory (vmm/view.h). watch: which accesses of the guest to
 * which bytes are seen, and what has been seen; the pages of these bytes are watched, and each
 * access is compared with the bytes here. patch: code that differs from what the guest reads.
 */
#include "arch/x86/cpu.h"
#include "ept/sppt.h"
#include "errno.h"
#include "lib/pages.h"
#include "lib/print.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/watch.h"
#include "vmm/memslot.h"
#include "vmm/view.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"
#include "monitor/insn_size.h"

#define WATCHES   16u
#define MAX_BYTES PAGE_SIZE /* of a watch */
#define HITS      256u      /* that are kept until they are printed */
#define PENDING   8u        /* hits of one instruction */
/* How far an access of unknown size may reach: a vector. */
#define LONGEST 64u

static struct watch {
	u32 serial;     /* a number that no other watch has had; 0: not used */
	unsigned kinds; /* EPT_R, EPT_W, EPT_X */
	gpa_t gpa;
	u64 bytes;
	struct vcpu *vcpu; /* NULL: all */
	u64 hits;
} watches[WATCHES];

/* An instruction, an iteration of a REP, or the delivery of an event that has accessed the bytes of
 * a watch. */
struct hit {
	u32 watch, serial, vcpu;
	unsigned kinds;
	u16 size; /* of the access in bytes; 0: unknown */
	bool table, event;
	bool unsure; /* it may not have reached the bytes: a write has if they change */
	u64 sum;     /* of all watched bytes, before it */
	bool memory; /* the values are known */
	gpa_t gpa;
	u64 rip;
	u64 before, after; /* the 8 bytes from the watch's address on */
};

static spinlock_t lock; /* of all here */
static struct hit *ring;
static u64 added, taken; /* hits, ever */
static u64 lost;
static bool live;

/* The hits of instructions that have not ended, PENDING for each vCPU. */
static struct pending {
	unsigned nr;
	struct hit hit[PENDING];
} * pending;

/* ---- What the guest does ---- */

/* An access, as the decoder describes it. */
struct described {
	unsigned kinds;
	gpa_t gpa;      /* its first byte on this page */
	unsigned size;  /* on this page; 0: unknown */
	unsigned below; /* and so many bytes may be before the first */
	bool partly;    /* not all of it may be accessed */
};

/* The bytes of an XSAVE area that the guest uses now: of the components that EDX:EAX asks for.
 * SDM: "Standard Format of Extended Region", "Compacted Format of Extended Region". */
static unsigned area_size(const struct vcpu *vcpu, enum insn_area area)
{
	u64 asked = (u32)vcpu->regs[VCPU_RAX] | vcpu->regs[VCPU_RDX] << 32;
	unsigned size = 576; /* the legacy region and the header */

	if (area == INSN_COMPACTED)
		return MAX(cpuid(0xd, 1).ebx, size);
	for (u32 i = 2; i < 63; i++) {
		struct cpuid_regs component = cpuid(0xd, i);

		if (asked & BIT(i) && component.eax)
			size = MAX(size, component.ebx + component.eax);
	}
	return MIN(size, MAX(cpuid(0xd, 0).ebx, 576u));
}

/* Which part of the @size bytes at linear @at is on the page of @access. */
static void find_part(struct vcpu *vcpu, const struct view_access *access, gva_t at, unsigned size,
		      struct described *d)
{
	gva_t end = at + size;
	gpa_t gpa;

	for (; at < end; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE) {
		if (guest_physical(vcpu, at, &gpa) || (gpa ^ access->gpa) & PAGE_MASK)
			continue;
		d->gpa = gpa;
		d->size = (unsigned)MIN(end - at, PAGE_SIZE - (at & ~PAGE_MASK));
		return;
	}
}

/* An instruction that insn_memory_op() does not know. */
static void describe_other(struct vcpu *vcpu, const struct view_access *access,
			   const struct insn *insn, struct described *d)
{
	static const struct insn_mem simple = {.op = INSN_MOV};
	struct insn_size size;

	insn_size(insn, &size);
	if (size.reads_too)
		d->kinds = EPT_R | EPT_W;
	if (size.downwards)
		d->below = MIN(LONGEST, access->gpa & ~PAGE_MASK);
	d->partly = size.partly;
	if (size.state)
		find_part(vcpu, access, guest_operand(vcpu, insn, &simple),
			  size.area ? area_size(vcpu, (enum insn_area)size.area) : size.bytes, d);
	else
		d->size = size.bytes;
}

/* What is known of the access of the instruction at RIP that the CPU reports as @access. */
static struct described describe(struct vcpu *vcpu, const struct view_access *access)
{
	struct described d = {.kinds = access->kind, .gpa = access->gpa};
	struct insn_mem mem;
	struct insn insn;
	u64 offset = access->gpa & ~PAGE_MASK, operand;

	if (access->table) {
		d.kinds |= EPT_R;
		d.size = virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_PAE ? 8 : 4;
		return d;
	}
	if (access->event && !(access->kind & EPT_W))
		d.size = 16;    /* a gate or a descriptor */
	else if (access->event) /* a frame is pushed */
		d.below = MIN(LONGEST, offset);
	if (access->event || access->kind == EPT_X || !decode_guest_insn(vcpu, &insn))
		return d;
	if (insn_memory_op(&insn, &mem)) {
		describe_other(vcpu, access, &insn, &d);
		return d;
	}
	d.size = mem.size;
	if (mem.op == INSN_MOVS)
		return d;
	if (mem.reads && mem.writes)
		d.kinds = EPT_R | EPT_W;
	/* An access that begins on the page before: only the rest is here. */
	operand = guest_operand(vcpu, &insn, &mem) & ~PAGE_MASK;
	if (!offset && operand + mem.size > PAGE_SIZE)
		d.size = (unsigned)(operand + mem.size - PAGE_SIZE);
	return d;
}

/* Does the instruction at RIP begin in the bytes of @w? */
static bool begins_in(struct vcpu *vcpu, const struct watch *w)
{
	struct segment cs;
	gpa_t gpa;
	gva_t rip;

	guest_segment(vcpu, SEG_CS, &cs);
	rip = cs.base + virt->get_sysreg(vcpu, SYSREG_RIP);
	if (guest_mode(vcpu) != INSN_64)
		rip = (u32)rip;
	return !guest_physical(vcpu, rip, &gpa) && gpa - w->gpa < w->bytes;
}

/* Can the access reach the bytes of @w? It goes on upwards from its first byte, but for what is
 * pushed. What is on the next page is another access. */
static bool reaches(const struct watch *w, const struct described *d)
{
	u64 above = MIN(d->size ? d->size : LONGEST, PAGE_SIZE - (d->gpa & ~PAGE_MASK));

	return ranges_overlap(d->gpa - d->below, d->below + above, w->gpa, w->bytes);
}

/* Is it a write of which the size is not known, or that may leave out the bytes of @w? */
static bool may_miss(const struct watch *w, const struct view_access *access,
		     const struct described *d)
{
	if (access->kind != EPT_W || access->event)
		return false;
	return d->partly || (!d->size && d->gpa - w->gpa >= w->bytes);
}

static bool concerns(struct vcpu *vcpu, const struct watch *w, const struct view_access *access,
		     const struct described *d)
{
	if (!w->serial || !(w->kinds & d->kinds) || (w->vcpu && w->vcpu != vcpu))
		return false;
	if (access->kind == EPT_X)
		return begins_in(vcpu, w);
	return reaches(w, d);
}

/* Can the access concern a watch at all? Most on a watched page do not; this needs no decoding.
 * @whole: it may be to all bytes of the page. */
static bool is_near(const struct watch *w, const struct view_access *access, bool whole)
{
	u64 below = MIN(LONGEST, access->gpa & ~PAGE_MASK);

	if (whole)
		return w->serial && ranges_overlap(ALIGN_DOWN(access->gpa, PAGE_SIZE), PAGE_SIZE,
						   w->gpa, w->bytes);
	return w->serial && ranges_overlap(access->gpa - below, below + LONGEST, w->gpa, w->bytes);
}

static bool is_near_any(const struct view_access *access, bool whole)
{
	bool any = false;

	for (unsigned i = 0; i < WATCHES && !any; i++)
		any = is_near(&watches[i], access, whole);
	return any;
}

/* May the instruction at RIP save or restore the state of the FPU? */
static bool may_have_state(struct vcpu *vcpu)
{
	u8 bytes[INSN_MAX_LENGTH];

	return insn_may_have_state(bytes, fetch_guest_insn(vcpu, bytes, sizeof(bytes)));
}

/* A checksum of the watched bytes (FNV-1a). */
static u64 sum_of(struct vcpu *vcpu, const struct watch *w)
{
	u64 sum = 0xcbf29ce484222325;
	u8 bytes[64];

	for (u64 at = 0; at < w->bytes; at += sizeof(bytes)) {
		size_t n = (size_t)MIN(w->bytes - at, sizeof(bytes));

		if (read_guest(vcpu->vm, w->gpa + at, bytes, n))
			return 0;
		for (size_t i = 0; i < n; i++)
			sum = (sum ^ bytes[i]) * 0x100000001b3;
	}
	return sum;
}

static bool read_value(struct vcpu *vcpu, const struct watch *w, u64 *value)
{
	return !read_guest(vcpu->vm, w->gpa, value, sizeof(*value));
}

/* Add @hit to those of the vCPU's instruction; one that accesses a watch twice is one hit. */
static void add_pending(struct pending *p, const struct hit *hit)
{
	for (unsigned i = 0; i < p->nr; i++) {
		if (p->hit[i].watch == hit->watch) {
			p->hit[i].kinds |= hit->kinds;
			p->hit[i].unsure &= hit->unsure;
			return;
		}
	}
	if (p->nr < PENDING)
		p->hit[p->nr++] = *hit;
	else
		lost++;
}

static void accesses(struct vcpu *vcpu, const struct view_access *access)
{
	struct described d;
	bool data = access->kind != EPT_X && !access->table && !access->event;

	if (!is_near_any(access, access->kind == EPT_X) &&
	    !(data && is_near_any(access, true) && may_have_state(vcpu)))
		return;
	d = describe(vcpu, access);
	spin_lock(&lock);
	for (unsigned i = 0; i < WATCHES; i++) {
		const struct watch *w = &watches[i];
		struct hit hit = {
			.watch = i,
			.serial = w->serial,
			.vcpu = vcpu->id,
			.kinds = d.kinds,
			.size = (u16)d.size,
			.table = access->table,
			.event = access->event,
			.unsure = may_miss(w, access, &d),
			.gpa = d.gpa,
			.rip = virt->get_sysreg(vcpu, SYSREG_RIP),
		};

		if (!concerns(vcpu, w, access, &d))
			continue;
		hit.memory = read_value(vcpu, w, &hit.before);
		if (hit.unsure)
			hit.sum = sum_of(vcpu, w);
		add_pending(&pending[vcpu->id], &hit);
	}
	spin_unlock(&lock);
}

/* A page walk with the EPT's accessed and dirty flags on counts as a write also where it only
 * reads. SDM: "Accessed and Dirty Flags for EPT". */
static bool has_happened(struct vcpu *vcpu, const struct hit *hit)
{
	const struct watch *w = &watches[hit->watch];

	if (hit->table && !(w->kinds & EPT_R))
		return hit->before != hit->after;
	if (hit->unsure && hit->memory && !(w->kinds & hit->kinds & EPT_R))
		return hit->sum != sum_of(vcpu, w);
	return true;
}

static void ended(struct vcpu *vcpu, bool done)
{
	struct pending *p = &pending[vcpu->id];

	spin_lock(&lock);
	for (unsigned i = 0; done && i < p->nr; i++) {
		struct hit *hit = &p->hit[i];
		struct watch *w = &watches[hit->watch];

		if (hit->memory)
			hit->memory = read_value(vcpu, w, &hit->after);
		if (w->serial != hit->serial || !has_happened(vcpu, hit))
			continue; /* removed meanwhile, or it was another access */
		w->hits++;
		ring[added++ % HITS] = *hit;
		if (added - taken > HITS) {
			taken = added - HITS;
			lost++;
		}
	}
	p->nr = 0;
	spin_unlock(&lock);
}

/* ---- What has been seen ---- */

static const char *kinds_text(unsigned kinds, char text[4])
{
	char *p = text;

	if (kinds & EPT_R)
		*p++ = 'r';
	if (kinds & EPT_W)
		*p++ = 'w';
	if (kinds & EPT_X)
		*p++ = 'x';
	*p = '\0';
	return text;
}

/* Take the oldest hit that has not been printed. */
static bool take(struct hit *hit)
{
	bool any;

	spin_lock(&lock);
	any = taken < added;
	if (any)
		*hit = ring[taken++ % HITS];
	spin_unlock(&lock);
	return any;
}

static void print_hit(const struct hit *hit)
{
	const char *how = hit->table ? " page walk" : hit->event ? " delivery of an event" : "";
	char kinds[4], size[16] = "";

	kinds_text(hit->kinds, kinds);
	if (hit->kinds != EPT_X && hit->size)
		snprintf(size, sizeof(size), " %u bytes", hit->size);
	if (hit->memory && hit->kinds & EPT_W)
		row("watch vcpu rip kinds gpa size how before after",
		    "watch %u: vCPU %u RIP %lx %s %lx%s%s: %016lx -> %016lx\n", hit->watch,
		    hit->vcpu, hit->rip, kinds, hit->gpa, size, how, hit->before, hit->after);
	else if (hit->memory && hit->kinds & EPT_R)
		row("watch vcpu rip kinds gpa size how before",
		    "watch %u: vCPU %u RIP %lx %s %lx%s%s: %016lx\n", hit->watch, hit->vcpu,
		    hit->rip, kinds, hit->gpa, size, how, hit->before);
	else
		row("watch vcpu rip kinds gpa size how", "watch %u: vCPU %u RIP %lx %s %lx%s%s\n",
		    hit->watch, hit->vcpu, hit->rip, kinds, hit->gpa, size, how);
}

static void print_hits(void)
{
	struct hit hit;
	unsigned n = 0;

	for (; n < HITS && take(&hit); n++)
		print_hit(&hit);
	if (!n && !row_is_json())
		say("No accesses have come since they were printed last.\n");
	if (lost)
		row("lost", "%lu hits are not here: more came than are kept.\n",
		    __atomic_exchange_n(&lost, 0, __ATOMIC_ACQ_REL));
}

bool watch_has_news(void)
{
	return live && READ_ONCE(added) != READ_ONCE(taken);
}

void watch_print_news(void)
{
	print_hits();
}

static void list(void)
{
	char kinds[4], who[16];
	bool any = false;

	for (unsigned i = 0; i < WATCHES; i++) {
		const struct watch *w = &watches[i];

		if (!w->serial)
			continue;
		any = true;
		strlcpy(who, "all vCPUs", sizeof(who));
		if (w->vcpu)
			snprintf(who, sizeof(who), "vCPU %u", w->vcpu->id);
		row("watch gpa bytes kinds vcpu hits",
		    "watch %u: %lx, %lu bytes, %s, %s: %lu hits\n", i, w->gpa, w->bytes,
		    kinds_text(w->kinds, kinds), who, w->hits);
	}
	if (!any && !row_is_json())
		say("There are no watches.\n");
}

/* ---- Setting and removing ---- */

/* The parts of @page to which a write may reach the bytes of @w. */
static u32 parts_of(const struct watch *w, gpa_t page)
{
	u32 parts = 0;

	for (unsigned i = 0; i < PAGE_SIZE / SPPT_PART_SIZE; i++)
		if (ranges_overlap(page + (u64)i * SPPT_PART_SIZE, SPPT_PART_SIZE + LONGEST - 1,
				   w->gpa, w->bytes))
			parts |= 1u << i;
	return parts;
}

/* Watch the page of @gpa as all watches together need it. */
static int update_page(gpa_t gpa)
{
	gpa_t page = ALIGN_DOWN(gpa, PAGE_SIZE);
	unsigned kinds = 0;
	u32 parts = 0;

	for (unsigned i = 0; i < WATCHES; i++) {
		const struct watch *w = &watches[i];

		if (!w->serial || !ranges_overlap(page, PAGE_SIZE, w->gpa, w->bytes))
			continue;
		kinds |= w->kinds;
		if (w->kinds & EPT_W)
			parts |= parts_of(w, page);
	}
	return view_watch(monitor_vcpu()->vm, page, kinds, parts);
}

/* Of @w, which has at most two pages. */
static int update_pages(const struct watch *w)
{
	gpa_t last = w->gpa + w->bytes - 1;
	int r = update_page(w->gpa);

	if (!r && (w->gpa ^ last) & PAGE_MASK)
		r = update_page(last);
	return r;
}

static void set(struct watch *w, struct watch value)
{
	spin_lock(&lock);
	*w = value;
	spin_unlock(&lock);
}

static void remove_watch(struct watch *w)
{
	struct watch old = *w;

	set(w, (struct watch){0});
	update_pages(&old);
}

static const char *words_for(int error)
{
	switch (error) {
	case 0:
		return NULL;
	case -EFAULT:
		return "nothing is mapped there";
	case -EBUSY:
		return "this page is Glasshouse's, or the local APIC's while Glasshouse needs its "
		       "accesses";
	case -ENOSPC:
		return "too many pages are watched or patched, or too many patches are on this one";
	case -ENOENT:
		return "there is no patch at this address";
	case -ENOSYS:
		return "this needs EPT, which is not in use";
	case -EOPNOTSUPP:
		return "this CPU has no execute-only pages, which this needs";
	default:
		return "no memory is left for it";
	}
}

static bool allocate(void)
{
	size_t bytes = monitor_vcpu()->vm->nr_vcpus * sizeof(struct pending);
	static const struct view_watcher watcher = {accesses, ended};

	if (!ring)
		ring = pages_alloc(ALIGN_UP(HITS * sizeof(struct hit), PAGE_SIZE) / PAGE_SIZE);
	if (!pending)
		pending = pages_alloc(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE);
	view_set_watcher(&watcher);
	return ring && pending;
}

static const char *add(const struct watch *value)
{
	struct watch *w = watches;
	int r;

	while (w < &watches[WATCHES] && w->serial)
		w++;
	if (w == &watches[WATCHES])
		return "there are 16 watches already; watch off removes some";
	if (!allocate())
		return words_for(-ENOMEM);
	set(w, *value);
	r = update_pages(w);
	if (r)
		remove_watch(w);
	else
		row("watch", "watch %u\n", (unsigned)(w - watches));
	return words_for(r);
}

static const char *off(const char *word)
{
	bool all = word && !strcmp(word, "all");
	u64 number = 0;

	if (!all && (!number_of(word, 10, &number) || number >= WATCHES || !watches[number].serial))
		return "there is no such watch; watch lists them";
	for (unsigned i = 0; i < WATCHES; i++)
		if (watches[i].serial && (all || i == number))
			remove_watch(&watches[i]);
	return NULL;
}

static bool kinds_of(const char *word, unsigned *kinds)
{
	*kinds = 0;
	for (; word && *word; word++) {
		unsigned kind = *word == 'r'   ? EPT_R
				: *word == 'w' ? EPT_W
				: *word == 'x' ? EPT_X
					       : 0;

		if (!kind || *kinds & kind)
			return false;
		*kinds |= kind;
	}
	return *kinds;
}

/* ADDR or ADDR,LEN. */
static const char *parse_range(const char *word, u64 *address, u64 *bytes)
{
	char text[40] = "", *comma;
	const char *why = NULL;

	*bytes = 8;
	if (word)
		strlcpy(text, word, sizeof(text));
	comma = strchr(text, ',');
	if (comma) {
		*comma = '\0';
		why = parse_number("LEN", comma + 1, 10, MAX_BYTES, bytes);
	}
	return why ? why : parse_number("ADDR", word ? text : NULL, 16, ~0ull, address);
}

/* For translate(), on the vCPU's CPU. */
static struct {
	gva_t gva;
	gpa_t gpa;
	bool fails;
} translated;

static void translate(struct vcpu *vcpu)
{
	translated.fails = guest_physical(vcpu, translated.gva, &translated.gpa);
}

/* Replace the virtual address in @w by the physical one. */
static const char *to_physical(struct watch *w)
{
	const char *why;

	if ((w->gpa & ~PAGE_MASK) + w->bytes > PAGE_SIZE)
		return "a virtual address is translated once, so the bytes must be on one page";
	translated.gva = w->gpa;
	why = on_vcpu(w->vcpu ? w->vcpu : monitor_vcpu(), translate);
	if (why)
		return why;
	if (translated.fails)
		return "this address is not mapped to memory of the guest";
	row("gva gpa", "%lx is guest-physical %lx now, and that is watched\n", w->gpa,
	    translated.gpa);
	w->gpa = translated.gpa;
	return NULL;
}

/* @word: the address, the kinds, and perhaps the vCPU. */
static const char *add_by_words(const char *const *word, bool virtual)
{
	static u32 serials;
	struct watch w = {.serial = ++serials};
	const char *why = NULL;

	if (word[0] && word[1] && word[2] && word[3])
		return TOO_MANY;
	why = parse_range(word[0], &w.gpa, &w.bytes);
	if (why)
		return why;
	if (!w.bytes)
		return "1 to 4096 bytes can be watched";
	if (!word[1])
		return missing("r, w or x");
	if (!kinds_of(word[1], &w.kinds))
		return "which accesses: r, w, x, or several, such as rw";
	if (word[2]) {
		w.vcpu = vcpu_of(word[2]);
		if (!w.vcpu)
			return NO_VCPU;
	}
	if (virtual)
		why = to_physical(&w);
	else if (w.gpa >= EPT_GPA_END - MAX_BYTES)
		why = "guest-physical addresses have 48 bits";
	return why ? why : add(&w);
}

const char *command_watch(const struct arguments *args)
{
	static const char *const alone[] = {"log", "live", "quiet"};
	const char *first = args->word[1];

	for (unsigned i = 0; first && i < ARRAY_SIZE(alone); i++)
		if (!strcmp(first, alone[i]) && args->word[2])
			return TOO_MANY;
	if (!first)
		list();
	else if (!strcmp(first, "log"))
		print_hits();
	else if (!strcmp(first, "live"))
		live = true;
	else if (!strcmp(first, "quiet"))
		live = false;
	else if (!strcmp(first, "off"))
		return args->word[3] ? TOO_MANY : off(args->word[2]);
	else if (!strcmp(first, "-v"))
		return add_by_words(&args->word[2], true);
	else
		return add_by_words(&args->word[1], false);
	return NULL;
}

const char *command_patch(const struct arguments *args)
{
	struct vm *vm = monitor_vcpu()->vm;
	u64 gpa, byte;
	int r;
	const char *why = parse_number("ADDR", args->word[1], 16, EPT_GPA_END - 1, &gpa);

	if (why)
		return why;
	if (args->word[2] && !strcmp(args->word[2], "off"))
		return words_for(view_unpatch(vm, gpa));
	why = parse_number("BYTE", args->word[2], 16, 0xff, &byte);
	if (why)
		return why;
	r = view_patch(vm, gpa, (u8)byte);
	return r == -EFAULT ? "there is no memory" : words_for(r);
}
