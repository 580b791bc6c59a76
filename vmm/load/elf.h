/* SPDX-License-Identifier: MIT */
/*
 * Parse ELF kernels: the segments to load, and their addresses. Source: System V ABI, "ELF Header",
 * "Program Header", "Section Header".
 */
#ifndef GH_ELF_H
#define GH_ELF_H

#include "bits.h"

#define ELF_SEGMENTS 16

/* A part of the file, and its physical address in bytes; memory beyond filesz is zeroed. */
struct elf_segment {
	u64 offset, filesz;
	u64 paddr, memsz;
};

struct elf_image {
	struct elf_segment segments[ELF_SEGMENTS];
	unsigned nr_segments; /* 1 at least */
	u64 entry;            /* physical */
	u64 load_base;        /* the base after relocation of the whole image; 0: not relocated */
	bool is_64;           /* of class ELFCLASS64 */

	/* The section header table: its file offset and entries; shnum 0: no table. */
	u64 shoff;
	u32 shnum, shentsize, shstrndx;
};

struct elf_section {
	u32 type;
	u64 addr, offset, size;
};

#define SHT_NULL   0
#define SHT_NOBITS 8

/* Do the @size bytes at @file begin with ELF's magic number? */
bool elf_is_elf(const void *file, size_t size);

/*
 * Parse the x86 executable of @size bytes at @file into @out. Nothing beyond @size is read. All
 * segments of @out lie within the file and below 4 GiB of physical memory. Returns 0; or -ENOEXEC,
 * with an error logged: @role (of the module), field and value. A broken section header table is
 * logged and ignored.
 */
int elf_parse(const void *file, size_t size, const char *role, struct elf_image *out);

/* Section header @i (below shnum) of @file, which elf_parse() parsed into @image. */
struct elf_section elf_section(const struct elf_image *image, const void *file, u32 i);

/* Set sh_addr of section @i (below shnum) in @table, a copy of the section header table. */
void elf_set_section_addr(const struct elf_image *image, void *table, u32 i, u64 addr);

/* Log why the module with @role is refused: @field is @value, and @why. Returns -ENOEXEC. */
int image_refuse(const char *role, const char *field, u64 value, const char *why);

#endif
