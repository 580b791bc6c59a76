// SPDX-License-Identifier: MIT
/*
 * Shadow pages in a bad case: there is none for a root; the guest's tables lead to themselves.
 */
#include "tests/unit/stubs.h"

#include "arch/x86/paging.h"
#include "shadow/shadow.h"
#include "vmm/exception.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

#define NR    4 /* shadow pages, one of each level */
#define TABLE 512

struct virt_ops virt_ops;

static u64 spts[NR + 1][TABLE] __aligned(4096), gptes[NR][TABLE];
static u64 guest_table[TABLE] __aligned(4096); /* the table of all levels */
static struct mmu_page pages[NR];
static struct shadow shadow;
static struct shadow_vcpu shadow_vcpu __aligned(4096);
static struct vm vm = {.shadow = &shadow};
static struct vcpu vcpu = {.vm = &vm, .shadow = &shadow_vcpu};
static bool has_page;
static u64 cr3;

static u64 get_sysreg(struct vcpu *v, enum sysreg reg)
{
	(void)v;
	return reg == SYSREG_CR3 ? 0x5000 : 0;
}

static void use_shadow(struct vcpu *v, u64 value)
{
	(void)v;
	cr3 = value;
}

/* ---- What the code under test calls ---------------------------------------------------------- */

void get_paging_mode(struct vcpu *v, struct paging_mode *mode)
{
	(void)v;
	*mode = (struct paging_mode){.levels = 4, .root = 0x5000};
}

union mmu_role root_role(const struct paging_mode *mode, unsigned quadrant, unsigned owner)
{
	(void)quadrant;
	(void)owner;
	return (union mmu_role){.level = mode->levels, .levels = mode->levels};
}

struct mmu_page *shadow_get_page(struct shadow *s, gfn_t gfn, union mmu_role role, bool *old)
{
	(void)gfn;
	*old = true;
	return has_page ? &s->page[4 - role.level] : NULL;
}

u64 walk_reserved(const struct paging_mode *mode, int level, bool leaf)
{
	(void)mode;
	(void)level;
	(void)leaf;
	return 0;
}

u64 virt_to_phys(const void *p)
{
	return (u64)p;
}

void intercept_exceptions(struct vcpu *v, enum exception_user user, u32 vectors)
{
	(void)v;
	(void)user;
	(void)vectors;
}

int shadow_page_fault(struct vcpu *v, const struct page_fault *fault)
{
	(void)v;
	(void)fault;
	return 0;
}

void shadow_make_expected(struct vcpu *v)
{
	(void)v;
}

void shadow_retire(struct shadow *s, bool all)
{
	(void)s;
	(void)all;
}

void shadow_shield(struct vcpu *v)
{
	(void)v;
}

void shadow_unshield(struct shadow *s, gfn_t gfn)
{
	(void)s;
	(void)gfn;
	fail();
}

void shadow_set_spte(const struct shadow *s, struct mmu_page *page, unsigned index, u64 spte,
		     u64 gpte, bool global)
{
	(void)s;
	(void)page;
	(void)index;
	(void)spte;
	(void)gpte;
	(void)global;
	fail(); /* nothing has changed */
}

void shadow_prefetch(struct vcpu *v, struct mmu_page *page, unsigned index, u64 gpte)
{
	(void)v;
	(void)page;
	(void)index;
	(void)gpte;
	fail();
}

/* ---- The tests ------------------------------------------------------------------------------- */

/* All entries of the guest's table point to it, so each shadow page has 512 links to the next. */
static int setup(void **state)
{
	(void)state;
	virt_ops = (struct virt_ops){.get_sysreg = get_sysreg, .use_shadow = use_shadow};
	shadow = (struct shadow){
		.vm = &vm, .page = pages, .nr = NR, .spts = (u8 *)spts, .spts_pa = (u64)spts};
	memset(&shadow_vcpu, 0xff,
	       sizeof(shadow_vcpu)); /* whatever a guest may have brought there */
	shadow_vcpu.links.nr = 0;
	for (unsigned n = 0; n < NR; n++) {
		struct mmu_page *page = &pages[n];

		*page = (struct mmu_page){.gfn = 5,
					  .role = {.level = 4 - n, .levels = 4},
					  .spt = spts[n],
					  .gptes = gptes[n],
					  .table = guest_table,
					  .quiet = ~0ull,
					  .used = true};
		for (unsigned i = 0; i < TABLE; i++) {
			guest_table[i] = gptes[n][i] = 0x5000 | PT_P | PT_W;
			spts[n][i] = n + 1 < NR ? (u64)spts[n + 1] | PT_P | PT_W : 0x5000 | PT_P;
		}
		memset(page->present, 0xff, sizeof(page->present));
		memset(page->local, 0xff, sizeof(page->local));
		if (n + 1 < NR)
			memset(page->links, 0xff, sizeof(page->links));
	}
	memset(spts[NR], 0, sizeof(spts[NR]));
	has_page = true;
	return 0;
}

static void without_a_root_nothing_is_mapped(void **state)
{
	(void)state;
	has_page = false;
	shadow_load(&vcpu);
	assert_null(shadow_vcpu.root[0]);
	assert_int_equal(cr3 & ~PT_ADDR, 0);
	for (unsigned i = 0; i < TABLE; i++)
		assert_int_equal(((const u64 *)cr3)[i], 0);
	assert_int_equal(cr3, spts[NR]);
}

/* Otherwise 512 * 512 * 512 pages are compared. */
static void each_page_is_compared_once(void **state)
{
	(void)state;
	shadow_load(&vcpu);
	assert_ptr_equal(shadow_vcpu.root[0], &pages[0]);
	assert_int_equal(shadow.work, NR);
	shadow_sync_again(&vcpu, &pages[0]);
	assert_int_equal(shadow.work, 2 * NR);
	shadow_sync_links(&vcpu);
	assert_int_equal(shadow_vcpu.links.nr, 3 * TABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_root_nothing_is_mapped, setup),
		cmocka_unit_test_setup(each_page_is_compared_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
