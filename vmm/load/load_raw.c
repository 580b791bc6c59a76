/* SPDX-License-Identifier: MIT */
/*
 * Load the role "raw": a file without a header, with its address and CPU mode as options. See
 * docs/guests.md.
 */
#include "errno.h"
#include "lib/log.h"
#include "lib/options.h"
#include "lib/string.h"
#include "vmm/vm0/bios.h"
#include "vmm/load/loader.h"
#include "vmm/x86/long_mode.h"
#include "vmm/x86/start.h"
#include "vmm/memslot.h"

enum raw_mode { RAW_REAL, RAW_32, RAW_64 };

struct raw_options {
	u64 addr, entry, cs, dl;
	unsigned mode;
};

static const char *const mode_words[] = {"real", "32", "64", NULL};

#define ENTRY_IS_ADDR (~0ull)
#define AT(member)    offsetof(struct raw_options, member)

static const struct option table[] = {
	{.name = "addr",
	 .kind = OPTION_UINT,
	 .offset = AT(addr),
	 .min = 0x500,
	 .max = GIB(4) - 1,
	 .help = "the address of its first byte"},
	{.name = "entry",
	 .kind = OPTION_UINT,
	 .offset = AT(entry),
	 .max = GIB(4) - 1,
	 .help = "the address where it starts; default: addr"},
	{.name = "cs",
	 .kind = OPTION_UINT,
	 .offset = AT(cs),
	 .max = 0xffff,
	 .help = "mode=real: the code segment; IP is relative to it"},
	{.name = "dl",
	 .kind = OPTION_UINT,
	 .offset = AT(dl),
	 .max = 0xff,
	 .help = "the value of DL: for a boot sector, its BIOS drive number"},
	{.name = "mode",
	 .kind = OPTION_CHOICE,
	 .offset = AT(mode),
	 .choices = mode_words,
	 .help = "the CPU mode at entry"},
};

static bool is_free(const struct vm *vm, u64 base, u64 size)
{
	struct memmap_query q = {.size = size, .min = base, .max = base + size};

	return memmap_find(&vm->memmap, &q) == base;
}

/* Start in 64-bit mode, with page tables and a GDT that do not overlap the guest. */
static int start_64(struct vm *vm, struct vcpu *vcpu, u64 entry, const struct mem_range *guest)
{
	struct memmap_query q = {.size = (IDENTITY_MAP_PAGES + 1) * PAGE_SIZE,
				 .align = PAGE_SIZE,
				 .min = KIB(64),
				 .max = IDENTITY_MAP_SIZE,
				 .avoid = guest,
				 .nr_avoid = 1};
	u64 cr3 = memmap_find(&vm->memmap, &q), gdt = cr3 + IDENTITY_MAP_PAGES * PAGE_SIZE;

	if (cr3 == MEMMAP_NONE) {
		pr_err("module raw: no %lu bytes of free RAM for page tables; choose another "
		       "addr=\n",
		       q.size);
		return -ENOSPC;
	}
	fill_identity_map(gpa_to_ptr(vm, cr3, q.size), cr3);
	fill_boot_gdt(gpa_to_ptr(vm, gdt, PAGE_SIZE), true);
	start_long_mode(vcpu, entry, cr3, gdt, BOOT_GDT_SIZE - 1);
	return 0;
}

static int start_real(struct vcpu *vcpu, const struct raw_options *o)
{
	u64 ip = o->entry - (o->cs << 4);

	if (ip > 0xffff) {
		pr_err("module raw: its entry %lx is not within 64 KiB of cs=0x%lx: choose another "
		       "cs= or entry=\n",
		       o->entry, o->cs);
		return -EINVAL;
	}
	start_real_mode(vcpu, (u16)o->cs, (u16)ip);
	start_enable_interrupts(vcpu);
	return 0;
}

int load_raw(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
	     const struct guest_module *module, const char *args)
{
	struct raw_options o = {.addr = 0x7c00, .entry = ENTRY_IS_ADDR, .dl = 0x80};
	const void *bytes = module_bytes(vm, module);
	struct mem_range guest;
	void *to;
	int r = 0;

	if (options_parse(table, ARRAY_SIZE(table), &o, args))
		return -EINVAL;
	if (o.entry == ENTRY_IS_ADDR)
		o.entry = o.addr;
	guest = (struct mem_range){.base = o.addr, .size = module->size, .type = MEM_RAM};
	/* bios_init() reserves a page: call it before the check for free memory. */
	if (o.mode == RAW_REAL)
		r = bios_init(vm);
	if (r || !bytes)
		return r ? r : -EFAULT;
	to = gpa_to_ptr(vm, o.addr, module->size);
	if (!to || !is_free(vm, o.addr, module->size)) {
		pr_err("module raw: its address range %lx-%lx is not all free RAM: choose another "
		       "addr=\n",
		       o.addr, o.addr + module->size - 1);
		return -ENOSPC;
	}
	memmove(to, bytes, module->size);
	if (o.mode == RAW_REAL)
		r = start_real(vcpu, &o);
	else if (o.mode == RAW_32)
		start_protected_mode(vcpu, (u32)o.entry);
	else
		r = start_64(vm, vcpu, o.entry, &guest);
	if (r)
		return r;
	vcpu->regs[VCPU_RDX] = o.dl;
	/* In real mode it looks for it where a BIOS has it. */
	if (o.mode != RAW_REAL)
		vcpu->regs[VCPU_RSI] = modules->rsdp;
	pr_info("raw: %lu bytes at %lx, entry %lx, mode=%s, DL = %lx\n", module->size, o.addr,
		o.entry, mode_words[o.mode], o.dl);
	return 0;
}
