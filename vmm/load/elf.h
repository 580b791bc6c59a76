/* SPDX-License-Identifier: MIT */
/*
 * ELF files as kernels: what is to be loaded where. Source: System V ABI, "ELF Header", "Program
 * Header", "Section Header".
 */
#ifndef GH_ELF_H
#define GH_ELF_H

#include "bits.h"

#define ELF_SEGMENTS 16

/* A piece of the file, and where in physical memory it goes; what lies beyond filesz is zeroed. */
struct elf_segment {
	u64 offset, filesz;
	u64 paddr, memsz;
};

struct elf_image {
	struct elf_segment segments[ELF_SEGMENTS];
	unsigned nr_segments; /* 1 at least */
	u64 entry;            /* physical */
	u64 load_base;        /* where it was moved to as a whole; 0: not moved */
	bool is_64;           /* of class ELFCLASS64 */

	/* The section header table in the file; shnum 0: there is none. */
	u64 shoff;
	u32 shnum, shentsize, shstrndx;
};

struct elf_section {
	u32 type;
	u64 addr, offset, size;
};

#define SHT_NULL   0
#define SHT_NOBITS 8

/* Is there an ELF file's magic number in the @size bytes at @file? */
bool elf_is_elf(const void *file, size_t size);

/*
 * Describe the x86 executable of @size bytes at @file in @out. Nothing beyond @size is read. All
 * segments lie in the file and below 4 GiB of physical memory. Returns 0 or -ENOEXEC; the reason
 * is said by pr_err: @role (the module's), field and value. A broken section header table is
 * named, and left out.
 */
int elf_parse(const void *file, size_t size, const char *role, struct elf_image *out);

/* Section @i (below shnum) of the file that elf_parse() described. */
struct elf_section elf_section(const struct elf_image *image, const void *file, u32 i);

/* Set sh_addr of section @i in @table, a copy of the section header table. */
void elf_set_section_addr(const struct elf_image *image, void *table, u32 i, u64 addr);

/* Say why the module with @role is no kernel. Returns -ENOEXEC. */
int image_refuse(const char *role, const char *field, u64 value, const char *why);

#endif
