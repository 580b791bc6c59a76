/* SPDX-License-Identifier: MIT */
/*
 * The VMCS as text: lookups of fields, decoded values, the dump. See vmcs_text.h.
 */
#include "vmm/vmx/vmcs_text.h"
#include "lib/print.h"
#include "lib/string.h"

const struct vmcs_field_info vmcs_fields[] = {
#define VMCS_FIELD(name, encoding, word, bit) {encoding, VMX_##word, bit, #name},
#include "vmm/vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

const unsigned vmcs_field_count = ARRAY_SIZE(vmcs_fields);

unsigned vmcs_field_bits(u64 encoding)
{
	static const u8 bits[] = {
		[VMCS_16] = 16, [VMCS_64] = 64, [VMCS_32] = 32, [VMCS_NATURAL] = 64};

	return bits[vmcs_field_width(encoding)];
}

const struct vmcs_field_info *vmcs_field_by_encoding(u64 encoding)
{
	for (unsigned i = 0; i < vmcs_field_count; i++) {
		if (vmcs_fields[i].encoding == encoding)
			return &vmcs_fields[i];
	}
	return NULL;
}

const struct vmcs_field_info *vmcs_field_by_name(const char *name)
{
	for (unsigned i = 0; i < vmcs_field_count; i++) {
		if (strcmp(vmcs_fields[i].name, name) == 0)
			return &vmcs_fields[i];
	}
	return NULL;
}

bool vmcs_field_exists(const struct vmcs_field_info *info, const struct vmx_capability *cap)
{
	return info->word == VMX_ALWAYS ||
	       (vmx_allowed1(cap, (enum vmx_word)info->word) & info->bit);
}

const char *vm_instruction_error_text(u32 error)
{
	static const char *const texts[] = {
		[1] = "VMCALL executed in VMX root operation",
		[2] = "VMCLEAR with invalid physical address",
		[3] = "VMCLEAR with VMXON pointer",
		[4] = "VMLAUNCH with non-clear VMCS",
		[5] = "VMRESUME with non-launched VMCS",
		[6] = "VMRESUME after VMXOFF (VMXOFF and VMXON between VMLAUNCH and VMRESUME)",
		[7] = "VM entry with invalid control field(s)",
		[8] = "VM entry with invalid host-state field(s)",
		[9] = "VMPTRLD with invalid physical address",
		[10] = "VMPTRLD with VMXON pointer",
		[11] = "VMPTRLD with incorrect VMCS revision identifier",
		[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
		[13] = "VMWRITE to read-only VMCS component",
		[15] = "VMXON executed in VMX root operation",
		[16] = "VM entry with invalid executive-VMCS pointer",
		[17] = "VM entry with non-launched executive VMCS",
		[18] = "VM entry with executive-VMCS pointer not VMXON pointer",
		[19] = "VMCALL with non-clear VMCS",
		[20] = "VMCALL with invalid VM-exit control fields",
		[22] = "VMCALL with incorrect MSEG revision identifier",
		[23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
		[24] = "VMCALL with invalid SMM-monitor features",
		[25] = "VM entry with invalid VM-execution control fields in executive VMCS",
		[26] = "VM entry with events blocked by MOV SS",
		[28] = "invalid operand to INVEPT/INVVPID",
	};

	if (error == 0)
		return "no error";
	return error < ARRAY_SIZE(texts) && texts[error] ? texts[error] : "unknown error";
}

/* Text that is appended to in a fixed buffer, and cut at its end. */
struct text {
	char *buf;
	size_t size, len;
};

static struct text text_init(char *buf, size_t size)
{
	if (size)
		buf[0] = '\0';
	return (struct text){buf, size, 0};
}

/* Append @word, after @separator unless it is the first. */
static void text_add(struct text *t, const char *separator, const char *word)
{
	if (t->len < t->size)
		t->len += (size_t)snprintf(t->buf + t->len, t->size - t->len, "%s%s",
					   t->len ? separator : "", word);
}

const char *intr_info_text(char *buf, size_t size, u32 info)
{
	static const char *const types[] = {
		"external interrupt", "reserved type 1",    "NMI",
		"hardware exception", "software interrupt", "privileged software exception",
		"software exception", "other event"};
	static const char *const exceptions[32] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL,  "#TS",
		"#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
	u32 type = (info & INTR_INFO_INTR_TYPE_MASK) >> INTR_INFO_INTR_TYPE_SHIFT;
	u32 vector = info & INTR_INFO_VECTOR_MASK;
	bool is_exception = type == 3 || type == 5 || type == 6;
	const char *name = is_exception && vector < 32 ? exceptions[vector] : NULL;

	if (!(info & INTR_INFO_VALID_MASK))
		snprintf(buf, size, "none");
	else
		snprintf(buf, size, "%s %s%svector %u%s%s", types[type], name ? name : "",
			 name ? " " : "", vector,
			 info & INTR_INFO_DELIVER_CODE_MASK ? ", error code" : "",
			 info & INTR_INFO_UNBLOCK_NMI ? ", NMI unblocking by IRET" : "");
	return buf;
}

static const char *system_type_name(u32 type)
{
	switch (type) {
	case VMX_AR_TYPE_LDT:
		return "LDT";
	case VMX_AR_TYPE_BUSY_16_TSS:
		return "busy 16-bit TSS";
	case VMX_AR_TYPE_BUSY_TSS:
		return "busy TSS";
	default:
		return "system segment";
	}
}

const char *access_rights_text(char *buf, size_t size, u32 ar)
{
	struct text t = text_init(buf, size);
	u32 type = ar & VMX_AR_TYPE_MASK;
	bool code = type & VMX_AR_TYPE_CODE_MASK;
	char dpl[] = {'D', 'P', 'L', (char)('0' + VMX_AR_DPL(ar)), '\0'};

	if (ar & VMX_AR_UNUSABLE_MASK) {
		text_add(&t, " ", "unusable");
		return buf;
	}
	if (!(ar & VMX_AR_S_MASK)) {
		text_add(&t, " ", system_type_name(type));
	} else {
		text_add(&t, " ", code ? "code" : "data");
		if (type & VMX_AR_TYPE_READABLE_MASK)
			text_add(&t, " ", code ? "readable" : "writable");
		if (type & VMX_AR_TYPE_EXPAND_DOWN)
			text_add(&t, " ", code ? "conforming" : "expand-down");
		if (!(type & VMX_AR_TYPE_ACCESSED_MASK))
			text_add(&t, " ", "not-accessed");
	}
	text_add(&t, " ", dpl);
	text_add(&t, " ", ar & VMX_AR_P_MASK ? "P" : "not-present");
	if (ar & VMX_AR_L_MASK)
		text_add(&t, " ", "L");
	if (ar & VMX_AR_DB_MASK)
		text_add(&t, " ", "D/B");
	if (ar & VMX_AR_G_MASK)
		text_add(&t, " ", "G");
	return buf;
}

const char *controls_text(char *buf, size_t size, enum vmx_word word, u64 value)
{
	struct text t = text_init(buf, size);

	for (unsigned i = 0; i < vmx_control_count; i++) {
		if (vmx_controls[i].word == word && (vmx_controls[i].bit & value))
			text_add(&t, ", ", vmx_controls[i].name);
	}
	return buf;
}

static const char *interruptibility_text(char *buf, size_t size, u32 state)
{
	static const char *const names[] = {"blocking by STI", "blocking by MOV SS",
					    "blocking by SMI", "blocking by NMI",
					    "enclave interruption"};
	struct text t = text_init(buf, size);

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (state & BIT(i))
			text_add(&t, ", ", names[i]);
	}
	return buf;
}

static const char *exit_reason_text(char *buf, size_t size, u32 reason)
{
	snprintf(buf, size, "%s%s", exit_reason_name(reason),
		 reason & VMX_EXIT_REASONS_FAILED_VMENTRY ? ", the VM entry failed" : "");
	return buf;
}

static const char *activity_text(u32 state)
{
	static const char *const names[] = {"active", "HLT", "shutdown", "wait-for-SIPI"};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

/* Returns the decoded value of a field, or NULL if the field is just a number. */
static const char *field_text(char *buf, size_t size, u64 field, u64 value)
{
	switch (field) {
	case PIN_BASED_VM_EXEC_CONTROL:
		return controls_text(buf, size, VMX_PIN, value);
	case CPU_BASED_VM_EXEC_CONTROL:
		return controls_text(buf, size, VMX_PROC, value);
	case SECONDARY_VM_EXEC_CONTROL:
		return controls_text(buf, size, VMX_PROC2, value);
	case TERTIARY_VM_EXEC_CONTROL:
		return controls_text(buf, size, VMX_PROC3, value);
	case VM_EXIT_CONTROLS:
		return controls_text(buf, size, VMX_EXIT, value);
	case SECONDARY_VM_EXIT_CONTROLS:
		return controls_text(buf, size, VMX_EXIT2, value);
	case VM_ENTRY_CONTROLS:
		return controls_text(buf, size, VMX_ENTRY, value);
	case VM_ENTRY_INTR_INFO_FIELD:
	case VM_EXIT_INTR_INFO:
	case IDT_VECTORING_INFO_FIELD:
		return intr_info_text(buf, size, (u32)value);
	case VM_EXIT_REASON:
		return exit_reason_text(buf, size, (u32)value);
	case VM_INSTRUCTION_ERROR:
		return vm_instruction_error_text((u32)value);
	case GUEST_ACTIVITY_STATE:
		return activity_text((u32)value);
	case GUEST_INTERRUPTIBILITY_INFO:
		return interruptibility_text(buf, size, (u32)value);
	default:
		return NULL;
	}
}

#define DUMP_WIDTH 100
#define DUMP_CELL  33

/* A dump under construction: short items are collected in columns of a line, which is emitted when
 * it is full. */
struct dump {
	const struct vmx_capability *cap;
	u64 (*read)(u64 field, bool *ok);
	u64 *seen;
	void (*emit)(const char *line);
	char line[DUMP_WIDTH + 1];
	size_t len;
};

static void dump_flush(struct dump *d)
{
	if (d->len)
		d->emit(d->line);
	d->len = 0;
}

/* Add an item, which occupies one or more whole cells, with at least one space after it. */
static void dump_item(struct dump *d, const char *item)
{
	size_t at = d->len ? (d->len + DUMP_CELL) / DUMP_CELL * DUMP_CELL : 0;

	if (at + strlen(item) > DUMP_WIDTH) {
		dump_flush(d);
		at = 0;
	}
	memset(d->line + d->len, ' ', at - d->len);
	strlcpy(d->line + at, item, sizeof(d->line) - at);
	d->len = strlen(d->line);
}

/* Emit a long text, broken at spaces into lines; all but the first are indented. */
static void dump_wrapped(struct dump *d, const char *text)
{
	size_t room, n;

	dump_flush(d);
	while (*text) {
		room = DUMP_WIDTH - d->len;
		n = strlen(text);
		if (n > room) {
			for (n = room; n > 0 && text[n] != ' '; n--)
				;
			if (n == 0)
				n = room;
		}
		memcpy(d->line + d->len, text, n);
		d->line[d->len + n] = '\0';
		d->emit(d->line);
		text += n;
		while (*text == ' ')
			text++;
		memset(d->line, ' ', 4);
		d->len = 4;
	}
	d->len = 0;
}

/* Has the field another value than in @seen, if that is not NULL? There it has @value then. */
static bool has_changed(u64 *seen, const struct vmcs_field_info *f, u64 value)
{
	u64 *old = seen ? &seen[f - vmcs_fields] : NULL;

	if (!old || *old == value)
		return false;
	*old = value;
	return true;
}

static const char *mark(const struct dump *d, const struct vmcs_field_info *f, u64 value)
{
	return has_changed(d->seen, f, value) ? "*" : "";
}

/* Guest segment registers are printed by dump_segments() instead. */
static bool is_guest_segment(u64 field)
{
	return (field >= GUEST_ES_SELECTOR && field <= GUEST_TR_SELECTOR) ||
	       (field >= GUEST_ES_LIMIT && field <= GUEST_TR_LIMIT) ||
	       (field >= GUEST_ES_AR_BYTES && field <= GUEST_TR_AR_BYTES) ||
	       (field >= GUEST_ES_BASE && field <= GUEST_TR_BASE);
}

static void dump_segments(struct dump *d)
{
	static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};
	char line[DUMP_WIDTH + 1], rights[64];
	static const u64 fields[] = {GUEST_ES_SELECTOR, GUEST_ES_BASE, GUEST_ES_LIMIT,
				     GUEST_ES_AR_BYTES};
	u64 value[ARRAY_SIZE(fields)];
	const char *marks[ARRAY_SIZE(fields)];
	bool ok;

	for (u64 i = 0; i < ARRAY_SIZE(names); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(fields); k++) {
			value[k] = d->read(fields[k] + 2 * i, &ok);
			marks[k] = mark(d, vmcs_field_by_encoding(fields[k] + 2 * i), value[k]);
		}
		snprintf(line, sizeof(line), "%-4s %04x%s base=%016lx%s limit=%08x%s ar=%05x%s %s",
			 names[i], (unsigned)value[0], marks[0], value[1], marks[1],
			 (unsigned)value[2], marks[2], (unsigned)value[3], marks[3],
			 access_rights_text(rights, sizeof(rights), (u32)value[3]));
		d->emit(line);
	}
}

static void dump_field(struct dump *d, const struct vmcs_field_info *f)
{
	char item[640], decoded[512];
	const char *text;
	u64 value;
	bool ok = true;

	if (!vmcs_field_exists(f, d->cap))
		return;
	value = d->read(f->encoding, &ok);
	if (!ok) {
		snprintf(item, sizeof(item), "%s=?", f->name);
		dump_item(d, item);
		return;
	}
	text = field_text(decoded, sizeof(decoded), f->encoding, value);
	snprintf(item, sizeof(item), "%s=%lx%s%s%s", f->name, value, mark(d, f, value),
		 text && *text ? ": " : "", text ? text : "");
	if (text && *text)
		dump_wrapped(d, item);
	else
		dump_item(d, item);
}

static const struct {
	enum vmcs_kind kind;
	const char *name, *title;
} groups[] = {{VMCS_READ_ONLY, "exit", "-- VMCS: the last exit --"},
	      {VMCS_GUEST, "guest", "-- VMCS: guest state --"},
	      {VMCS_CONTROL, "controls", "-- VMCS: controls --"},
	      {VMCS_HOST, "host", "-- VMCS: host state --"}};

static void dump_group(struct dump *d, unsigned group)
{
	enum vmcs_kind kind = groups[group].kind;

	d->emit(groups[group].title);
	if (kind == VMCS_GUEST)
		dump_segments(d);
	for (unsigned i = 0; i < vmcs_field_count; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (vmcs_field_kind(f->encoding) == kind && !is_guest_segment(f->encoding))
			dump_field(d, f);
	}
	dump_flush(d);
}

/* Does @part mean the field: a part of its name, or its encoding? */
static bool is_meant(const struct vmcs_field_info *f, const char *part)
{
	char encoding[8];

	snprintf(encoding, sizeof(encoding), "%04x", f->encoding);
	if (part[0] == '0' && part[1] == 'x')
		part += 2;
	return has_part(f->name, part) || (strlen(part) == 4 && has_part(encoding, part));
}

static bool dump_fields(struct dump *d, const char *part)
{
	bool any = false;

	for (unsigned i = 0; i < vmcs_field_count; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (!is_meant(f, part) || !vmcs_field_exists(f, d->cap))
			continue;
		dump_field(d, f);
		any = true;
	}
	dump_flush(d);
	return any;
}

bool vmcs_dump(const struct vmx_capability *cap, const char *part, u64 (*read)(u64 field, bool *ok),
	       u64 *seen, void (*emit)(const char *line))
{
	struct dump d = {.cap = cap, .read = read, .seen = seen, .emit = emit};
	bool any = false;

	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!part || !strcmp(part, groups[i].name)) {
			dump_group(&d, i);
			any = true;
		}
	}
	return any || dump_fields(&d, part);
}

/* Returns the text of the guest's segment registers' access rights, too, which the dump prints by
 * dump_segments(). */
static const char *value_text(char *buf, size_t size, u64 field, u64 value)
{
	const char *text;

	if (field >= GUEST_ES_AR_BYTES && field <= GUEST_TR_AR_BYTES)
		return access_rights_text(buf, size, (u32)value);
	text = field_text(buf, size, field, value);
	return text ? text : "";
}

bool vmcs_each_field(const struct vmx_capability *cap, const char *part,
		     u64 (*read)(u64 field, bool *ok), u64 *seen,
		     void (*emit)(const char *group, const char *name, u64 value, const char *words,
				  bool changed))
{
	bool any = false, is_group = false;

	for (unsigned g = 0; g < ARRAY_SIZE(groups); g++)
		is_group |= part && !strcmp(part, groups[g].name);
	for (unsigned i = 0; i < ARRAY_SIZE(groups) * vmcs_field_count; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i % vmcs_field_count];
		const char *group = groups[i / vmcs_field_count].name;
		char words[512];
		bool ok = true, changed;
		u64 value;

		if (vmcs_field_kind(f->encoding) != groups[i / vmcs_field_count].kind ||
		    !vmcs_field_exists(f, cap) ||
		    (part && !(is_group ? !strcmp(part, group) : is_meant(f, part))))
			continue;
		value = read(f->encoding, &ok);
		changed = ok && has_changed(seen, f, value);
		if (ok && emit)
			emit(group, f->name, value,
			     value_text(words, sizeof(words), f->encoding, value), changed);
		any = true;
	}
	return any;
}
