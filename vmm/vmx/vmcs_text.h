/* SPDX-License-Identifier: MIT */
/*
 * The VMCS as text: lookups of fields, decoded values, the dump. Pure: fields are read by a
 * function of the caller.
 */
#ifndef GH_VMM_VMX_VMCS_TEXT_H
#define GH_VMM_VMX_VMCS_TEXT_H

#include "arch/x86/vmx_entry.h"
#include "vmm/vmx/capability.h"
#include "vmm/vmx/vmcs.h"

/* Bits 11:10 and bits 14:13 of an encoding. SDM: "Structure of VMCS Component Encoding". */
enum vmcs_kind { VMCS_CONTROL, VMCS_READ_ONLY, VMCS_GUEST, VMCS_HOST, NR_VMCS_KINDS };
enum vmcs_width { VMCS_16, VMCS_64, VMCS_32, VMCS_NATURAL };

struct vmcs_field_info {
	u16 encoding;
	u8 word; /* enum vmx_word: the field exists if a CPU may set bit in this word */
	u32 bit; /* the mask of the control; 0 with VMX_ALWAYS */
	const char *name;
};

/* All fields, from vmcs_fields.def. */
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

/* Returns the width of a field in bits: 16, 32 or 64 (natural-width fields: 64). */
unsigned vmcs_field_bits(u64 encoding);

/* Return the field with @encoding, or with @name, or NULL if there is none. */
const struct vmcs_field_info *vmcs_field_by_encoding(u64 encoding);
const struct vmcs_field_info *vmcs_field_by_name(const char *name);

/* Does a CPU with @cap have the field? */
bool vmcs_field_exists(const struct vmcs_field_info *info, const struct vmx_capability *cap);

/* Returns the text for a value of VM_INSTRUCTION_ERROR. Never NULL. SDM: "VM-Instruction Error
 * Numbers". */
const char *vm_instruction_error_text(u32 error);

/*
 * Decode a value as the dump prints it. Each function writes at most @size bytes into @buf, with a
 * terminating NUL, and returns @buf. @info: interruption or IDT-vectoring information; @ar: access
 * rights.
 */
const char *intr_info_text(char *buf, size_t size, u32 info);
const char *access_rights_text(char *buf, size_t size, u32 ar);
/* The same for the controls that are set in @value. @word: VMX_PIN to VMX_ENTRY. */
const char *controls_text(char *buf, size_t size, enum vmx_word word, u64 value);

/*
 * The same choice of fields as vmcs_dump(), for programs: call @emit with each field's value, the
 * name of its group, the value in words, which are "" for a number, and whether the dump would mark
 * it. @emit may be NULL, if only @seen is to have the values. Returns whether there are any.
 */
bool vmcs_each_field(const struct vmx_capability *cap, const char *part,
		     u64 (*read)(u64 field, bool *ok), u64 *seen,
		     void (*emit)(const char *group, const char *name, u64 value, const char *words,
				  bool changed));

/*
 * Print the VMCS: all of it; or if @part is not NULL, the group of that name (exit, guest,
 * controls, host), or else each field whose name has @part in it, in any case, or whose encoding it
 * is, as four hexadecimal digits. Returns whether there is such a group or field on a CPU with
 * @cap. @read: returns a field's value and sets *@ok to whether it could be read.
 * @seen: NULL, or for each of vmcs_fields[] its value at an earlier time: what is printed and has
 * another value now is marked by a *, and stored there.
 * @emit: prints one line of at most 100 characters, without a newline. Fields that a CPU with @cap
 * does not have are skipped.
 */
bool vmcs_dump(const struct vmx_capability *cap, const char *part, u64 (*read)(u64 field, bool *ok),
	       u64 *seen, void (*emit)(const char *line));

#endif
