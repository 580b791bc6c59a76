/* SPDX-License-Identifier: MIT */
/*
 * Parse ELF kernels: see elf.h. Field names are the ABI's.
 */
#include "vmm/load/elf.h"

#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"

#define ELFCLASS32  1
#define ELFCLASS64  2
#define ELFDATA2LSB 1
#define EM_386      3
#define EM_X86_64   62
#define PT_LOAD     1

/* Field offsets: the only difference between 32-bit and 64-bit files. */
struct layout {
	u8 word; /* bytes of an address, offset or size field */
	u8 ehsize, phsize, shsize;
	u8 phoff, shoff, phentsize, phnum, shentsize, shnum, shstrndx; /* in the ELF header */
	u8 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;              /* in a program header */
	u8 sh_addr, sh_offset, sh_size;                                /* in a section header */
};

static const struct layout layout32 = {4,  52, 32, 40, 28, 32, 42, 44, 46, 48,
				       50, 4,  8,  12, 16, 20, 12, 16, 20};
static const struct layout layout64 = {8,  64, 56, 64, 32, 40, 54, 56, 58, 60,
				       62, 8,  16, 24, 32, 40, 16, 24, 32};

#define E_MACHINE 18
#define E_ENTRY   24
#define P_TYPE    0
#define SH_TYPE   4

int image_refuse(const char *role, const char *field, u64 value, const char *why)
{
	pr_err("module %s: %s is %#lx: %s\n", role, field, value, why);
	return -ENOEXEC;
}

static u64 get(const void *p, u64 at, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, (const u8 *)p + at, bytes);
	return value;
}

static const struct layout *layout_of(const struct elf_image *image)
{
	return image->is_64 ? &layout64 : &layout32;
}

bool elf_is_elf(const void *file, size_t size)
{
	return size >= layout32.ehsize && !memcmp(file, "\177ELF", 4);
}

static int check_header(const u8 *file, size_t size, const char *role, struct elf_image *out)
{
	const struct layout *l;

	if (!elf_is_elf(file, size))
		return image_refuse(
			role, "e_ident", size >= 4 ? get(file, 0, 4) : 0,
			"this is no ELF file, and has no header that says how to load it");
	if (file[4] != ELFCLASS32 && file[4] != ELFCLASS64)
		return image_refuse(role, "EI_CLASS", file[4],
				    "neither a 32-bit nor a 64-bit ELF file");
	out->is_64 = file[4] == ELFCLASS64;
	l = layout_of(out);
	if (file[5] != ELFDATA2LSB)
		return image_refuse(role, "EI_DATA", file[5], "not little-endian");
	if (get(file, E_MACHINE, 2) != EM_386 && get(file, E_MACHINE, 2) != EM_X86_64)
		return image_refuse(role, "e_machine", get(file, E_MACHINE, 2),
				    "not built for x86");
	if (size < l->ehsize || get(file, l->phentsize, 2) < l->phsize ||
	    get(file, l->phoff, l->word) > size ||
	    get(file, l->phnum, 2) * get(file, l->phentsize, 2) >
		    size - get(file, l->phoff, l->word))
		return image_refuse(
			role, "e_phoff", get(file, l->phoff, l->word),
			"the program headers lie outside of the file, which may be truncated");
	return 0;
}

/* Add the segment of program header @ph to @out. @entry: e_entry, a virtual address. */
static int add_segment(const u8 *ph, size_t size, const char *role, u64 entry,
		       struct elf_image *out)
{
	const struct layout *l = layout_of(out);
	u64 vaddr = get(ph, l->p_vaddr, l->word);
	struct elf_segment s = {
		.offset = get(ph, l->p_offset, l->word),
		.filesz = get(ph, l->p_filesz, l->word),
		.paddr = get(ph, l->p_paddr, l->word),
		.memsz = get(ph, l->p_memsz, l->word),
	};

	if (get(ph, P_TYPE, 4) != PT_LOAD || !s.memsz)
		return 0;
	if (s.offset > size || s.filesz > size - s.offset)
		return image_refuse(role, "p_filesz", s.filesz,
				    "the segment is not in the file, which may be truncated");
	if (s.filesz > s.memsz)
		return image_refuse(role, "p_filesz", s.filesz, "larger than p_memsz");
	if (s.paddr >= GIB(4) || s.memsz > GIB(4) - s.paddr)
		return image_refuse(role, "p_paddr", s.paddr, "the segment ends above 4 GiB");
	if (out->nr_segments == ELF_SEGMENTS)
		return image_refuse(role, "e_phnum", out->nr_segments + 1, "too many segments");
	out->segments[out->nr_segments++] = s;
	if (entry - vaddr < s.memsz)
		out->entry = s.paddr + (entry - vaddr);
	return 0;
}

static void find_sections(const u8 *file, size_t size, const char *role, struct elf_image *out)
{
	const struct layout *l = layout_of(out);

	out->shoff = get(file, l->shoff, l->word);
	out->shentsize = (u32)get(file, l->shentsize, 2);
	out->shstrndx = (u32)get(file, l->shstrndx, 2);
	out->shnum = (u32)get(file, l->shnum, 2);
	if (!out->shnum || (out->shentsize >= l->shsize && out->shoff <= size &&
			    (u64)out->shnum * out->shentsize <= size - out->shoff))
		return;
	pr_warn("module %s: e_shoff is %#lx: the section headers are not in the file; the guest "
		"gets none\n",
		role, out->shoff);
	out->shnum = 0;
}

int elf_parse(const void *file, size_t size, const char *role, struct elf_image *out)
{
	const struct layout *l;
	int r;

	memset(out, 0, sizeof(*out));
	r = check_header(file, size, role, out);
	if (r)
		return r;
	l = layout_of(out);
	out->entry = get(file, E_ENTRY, l->word);
	for (u64 i = 0, n = get(file, l->phnum, 2); !r && i < n; i++)
		r = add_segment((const u8 *)file + get(file, l->phoff, l->word) +
					i * get(file, l->phentsize, 2),
				size, role, get(file, E_ENTRY, l->word), out);
	if (!r && !out->nr_segments)
		r = image_refuse(role, "e_phnum", get(file, l->phnum, 2), "no segment to load");
	if (!r && out->entry >= GIB(4))
		r = image_refuse(role, "e_entry", out->entry,
				 "neither in a segment nor below 4 GiB");
	if (!r)
		find_sections(file, size, role, out);
	return r;
}

struct elf_section elf_section(const struct elf_image *image, const void *file, u32 i)
{
	const struct layout *l = layout_of(image);
	const u8 *sh = (const u8 *)file + image->shoff + (u64)i * image->shentsize;

	return (struct elf_section){.type = (u32)get(sh, SH_TYPE, 4),
				    .addr = get(sh, l->sh_addr, l->word),
				    .offset = get(sh, l->sh_offset, l->word),
				    .size = get(sh, l->sh_size, l->word)};
}

void elf_set_section_addr(const struct elf_image *image, void *table, u32 i, u64 addr)
{
	const struct layout *l = layout_of(image);

	memcpy((u8 *)table + (u64)i * image->shentsize + l->sh_addr, &addr, l->word);
}
