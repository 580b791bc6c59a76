/* SPDX-License-Identifier: MIT */
/*
 * The VMCS in words: lookups, decoded fields, the dump. Pure: the fields are read through the
 * caller's function.
 */
#ifndef GH_VMM_VMX_VMCS_TEXT_H
#define GH_VMM_VMX_VMCS_TEXT_H

#include "arch/x86/vmx_entry.h"
#include "vmm/vmx/capability.h"
#include "vmm/vmx/vmcs.h"

/* "Structure of VMCS Component Encoding": bits 11:10 and bits 14:13. */
enum vmcs_kind { VMCS_CONTROL, VMCS_READ_ONLY, VMCS_GUEST, VMCS_HOST, NR_VMCS_KINDS };
enum vmcs_width { VMCS_16, VMCS_64, VMCS_32, VMCS_NATURAL };

struct vmcs_field_info {
	u16 encoding;
	u8 word; /* enum vmx_word: the field exists when @bit may be 1 there */
	u32 bit; /* the control's mask; 0 with VMX_ALWAYS */
	const char *name;
};

extern const struct vmcs_field_info vmcs_fields[];
extern const unsigned vmcs_field_count;

static inline enum vmcs_kind vmcs_field_kind(u64 encoding)
{
	return (enum vmcs_kind)((encoding >> 10) & 3);
}

static inline enum vmcs_width vmcs_field_width(u64 encoding)
{
	return (enum vmcs_width)((encoding >> 13) & 3);
}

/* The width of a field in bits: 16, 32 or 64 (natural-width fields have 64 with 64-bit CPUs). */
unsigned vmcs_field_bits(u64 encoding);

/* The table's row of @encoding or @name, or NULL when the SDM has no such field. */
const struct vmcs_field_info *vmcs_field_by_encoding(u64 encoding);
const struct vmcs_field_info *vmcs_field_by_name(const char *name);

/* Whether a CPU with @cap has the field. */
bool vmcs_field_exists(const struct vmcs_field_info *info, const struct vmx_capability *cap);

/* The SDM's words ("VM-Instruction Error Numbers") for VM_INSTRUCTION_ERROR. Never NULL. */
const char *vm_instruction_error_text(u32 error);

/*
 * Decoded words, as the dump prints them. Each writes at most @size bytes into @buf, terminated,
 * and returns @buf. @info: interruption or IDT-vectoring information; @ar: access rights.
 */
const char *intr_info_text(char *buf, size_t size, u32 info);
const char *access_rights_text(char *buf, size_t size, u32 ar);
/* @word: VMX_PIN to VMX_ENTRY; prints the names of @value's bits, from the table of controls. */
const char *controls_text(char *buf, size_t size, enum vmx_word word, u64 value);

/*
 * The whole VMCS as text. @read returns a field's value and says in *@ok whether it could be read;
 * @emit gets one line at a time, at most 100 characters, no newline. Fields that a CPU with @cap
 * does not have are left out.
 */
void vmcs_dump(const struct vmx_capability *cap, u64 (*read)(u64 field, bool *ok),
	       void (*emit)(const char *line));

#endif
