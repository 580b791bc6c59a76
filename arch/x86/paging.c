/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's page tables: image, direct map, stacks.
 */
#include "arch/x86/paging.h"
#include "arch/x86/cpu.h"
#include "arch/x86/early.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/spinlock.h"

#define PTE_P   BIT(0)
#define PTE_W   BIT(1)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_PS  BIT(7)
#define PTE_NX  BIT(63)
#define PTE_PA  GENMASK(51, 12)

#define DATA   (PTE_P | PTE_W | PTE_NX)
#define DEVICE (DATA | PTE_PCD | PTE_PWT)
#define SCREEN (DATA | PTE_PWT) /* PAT's entry 1 */

extern char __image_start[], __text_start[], __text_end[], __rodata_end[], __image_end[];

u64 image_base_pa;
static u64 *pml4;
static bool has_1g;
static u64 next_stack = STACK_BASE;
static spinlock_t lock;

u64 paging_load_pat(void)
{
	u64 old = rdmsr(MSR_IA32_CR_PAT);

	wrmsr(MSR_IA32_CR_PAT, PAGING_PAT);
	return old;
}

void *paging_boot_write_combining(u64 pa, u64 size)
{
	for (u64 at = ALIGN_UP(pa, MIB(2)); at + MIB(2) <= pa + size; at += MIB(2))
		boot_pd_low[at / MIB(2)] |= PTE_PWT;
	write_cr3(read_cr3());
	return phys_to_virt(pa);
}

void paging_set_image_base(u64 pa)
{
	image_base_pa = pa;
}

u64 virt_to_phys(const void *p)
{
	u64 va = (u64)p;

	return va >= IMAGE_BASE ? va - IMAGE_BASE + image_base_pa : va - DIRECT_BASE;
}

static unsigned level_shift(int level)
{
	return PAGE_SHIFT + 9 * (unsigned)(level - 1);
}

/*
 * The entry for @va in the table of @level (4: PML4; 1: 4-KiB pages). With @create, missing tables
 * above it are allocated. Returns NULL when there is no table (or free page), or a larger page maps
 * @va.
 */
static u64 *entry_for(u64 va, int level, bool create)
{
	u64 *table = pml4;

	for (int l = 4; l > level; l--) {
		u64 *e = &table[va >> level_shift(l) & 511];

		if (*e & PTE_PS)
			return NULL;
		if (!(*e & PTE_P)) {
			void *page = create ? page_alloc() : NULL;

			if (!page)
				return NULL;
			*e = virt_to_phys(page) | PTE_P | PTE_W;
		}
		table = phys_to_virt(*e & PTE_PA);
	}
	return &table[va >> level_shift(level) & 511];
}

/* The size in bytes of the page that maps @va; 0 if @va is not mapped. */
static u64 mapped_size(u64 va)
{
	for (int level = 4; level >= 1; level--) {
		u64 *e = entry_for(va, level, false);

		if (!e || !(*e & PTE_P))
			return 0;
		if (level == 1 || *e & PTE_PS)
			return BIT(level_shift(level));
	}
	return 0;
}

/*
 * Map [@va, @va+@size), page-aligned, with the largest possible pages if @large. Existing mappings
 * are kept.
 */
static int map(u64 va, u64 pa, u64 size, u64 flags, bool large)
{
	while (size) {
		int level = 1;
		u64 step, *e;

		if (large && has_1g && IS_ALIGNED(va | pa, GIB(1)) && size >= GIB(1))
			level = 3;
		else if (large && IS_ALIGNED(va | pa, MIB(2)) && size >= MIB(2))
			level = 2;

		/* Where a lower-level table exists, add entries to it. */
		for (;; level--) {
			e = entry_for(va, level, true);
			if (!e && mapped_size(va))
				break;
			if (!e)
				return -ENOMEM;
			if (level == 1 || !(*e & PTE_P) || *e & PTE_PS)
				break;
		}
		step = BIT(level_shift(level));
		if (e && !(*e & PTE_P))
			*e = pa | flags | (level > 1 ? PTE_PS : 0);
		va += step;
		pa += step;
		size -= step;
	}
	return 0;
}

static int map_image_part(const char *start, const char *end, u64 flags)
{
	return map((u64)start, virt_to_phys(start), (u64)(end - start), flags, false);
}

int paging_init(void)
{
	int r;

	has_1g = cpuid(0x80000001, 0).edx & BIT(26);
	pml4 = page_alloc();
	if (!pml4)
		return -ENOMEM;
	r = map_image_part(__text_start, __text_end, PTE_P);
	if (!r)
		r = map_image_part(__text_end, __rodata_end, PTE_P | PTE_NX);
	if (!r)
		r = map_image_part(__rodata_end, __image_end, DATA);
	return r;
}

/* Map the part of [@pa, @pa+@size) that lies outside of the image. */
static int map_direct(u64 pa, u64 size, u64 flags)
{
	u64 start = ALIGN_DOWN(pa, PAGE_SIZE), end = ALIGN_UP(pa + size, PAGE_SIZE);
	u64 image_end = image_base_pa + (u64)(__image_end - __image_start);
	int r = 0;

	spin_lock(&lock);
	if (start < image_base_pa) {
		u64 stop = MIN(end, image_base_pa);

		r = map(DIRECT_BASE + start, start, stop - start, flags, !(flags & PTE_PCD));
	}
	if (!r && end > image_end) {
		start = MAX(start, image_end);
		r = map(DIRECT_BASE + start, start, end - start, flags, !(flags & PTE_PCD));
	}
	spin_unlock(&lock);
	return r;
}

int paging_map_direct(u64 pa, u64 size)
{
	return map_direct(pa, size, DATA);
}

void *ioremap(u64 pa, u64 size)
{
	return map_direct(pa, size, DEVICE) ? NULL : phys_to_virt(pa);
}

void *ioremap_wc(u64 pa, u64 size)
{
	return map_direct(pa, size, SCREEN) ? NULL : phys_to_virt(pa);
}

bool paging_is_mapped(u64 pa, u64 size)
{
	u64 end = pa + size;

	if (pa >= BIT(46) || size > BIT(46))
		return false;
	while (pa < end) {
		u64 page = mapped_size(DIRECT_BASE + pa);

		if (!page)
			return false;
		pa = ALIGN_DOWN(pa, page) + page;
	}
	return true;
}

u64 stack_alloc(unsigned pages)
{
	u64 bottom, top;

	spin_lock(&lock);
	bottom = next_stack + PAGE_SIZE;
	top = bottom + pages * PAGE_SIZE;
	next_stack = top;
	for (u64 va = bottom; va < top; va += PAGE_SIZE) {
		void *page = page_alloc();

		if (!page || map(va, virt_to_phys(page), PAGE_SIZE, DATA, false)) {
			spin_unlock(&lock);
			return 0;
		}
	}
	spin_unlock(&lock);
	return top;
}

void paging_unshare(u64 *other, u64 va)
{
	other[va >> level_shift(4) & 511] = 0;
}

u64 paging_share(u64 *other, u64 entry)
{
	for (u64 slot = 256; slot < 512; slot++) {
		if ((other[slot] & PTE_P && other[slot] != entry) ||
		    (pml4[slot] & PTE_P && pml4[slot] != entry))
			continue;
		pml4[slot] = entry;
		other[slot] = entry;
		return ~0ull << 48 | slot << level_shift(4);
	}
	return 0;
}

void paging_load(void)
{
	write_cr3(paging_cr3());
}

u64 paging_cr3(void)
{
	return virt_to_phys(pml4);
}
