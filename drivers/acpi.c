/* SPDX-License-Identifier: MIT */
/*
 * The parser of the ACPI tables. It trusts no length, pointer or checksum.
 */
#include "drivers/acpi.h"

#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mem_range.h"

/* Far above what machines have; these limits bound the work that damaged tables can cause. */
#define TABLE_MAX  MIB(4)
#define TABLES_MAX 256

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	/* Since revision 2: */
	u32 length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} __packed;

#define RSDP_V1_LENGTH 20

struct sdt {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __packed;

struct gas {
	u8 space, bit_width, bit_offset, access_size;
	u64 address;
} __packed;

struct fadt {
	struct sdt head;
	u32 firmware_ctrl, dsdt;
	u8 int_model, pm_profile;
	u16 sci_int;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	u32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	u8 pm1_lengths[2], others[22]; /* lengths, latencies, alarm, boot flags */
	u32 flags;                     /* ACPI 1.0 ends here */
	struct gas reset_reg;
	u8 reset_value, more[3];
	u64 x_firmware_ctrl, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt;
} __packed;

#define FADT_V1_LENGTH     offsetof(struct fadt, reset_reg)
#define FADT_RESET_REG_SUP BIT(10)

_Static_assert(offsetof(struct fadt, flags) == 112 && sizeof(struct fadt) == 196, "struct fadt");

/* Microsoft, "Serial Port Console Redirection Table". */
struct spcr {
	struct sdt head;
	u8 interface_type, reserved[3];
	struct gas base_address;
} __packed;

struct madt {
	struct sdt head;
	u32 lapic_address, flags;
	u8 entries[];
} __packed;

enum { MADT_LAPIC = 0, MADT_X2APIC = 9 };

/* The kinds of MADT entries that we parse. */
union madt_entry {
	struct {
		u8 type, length;
	} __packed head;
	struct {
		u8 type, length, uid, apic_id;
		u32 flags;
	} __packed lapic;
	struct {
		u8 type, length;
		u16 reserved;
		u32 apic_id, flags, uid;
	} __packed x2apic;
};

#define MADT_CPU_ENABLED        BIT(0)
#define MADT_CPU_ONLINE_CAPABLE BIT(1)

static const void *map(const struct acpi_mem *mem, u64 pa, size_t len)
{
	return pa && pa < MEM_LIMIT && len <= MEM_LIMIT - pa ? mem->map(pa, len) : NULL;
}

static u8 checksum(const void *data, size_t len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum += *p++;
	return sum;
}

/* A signature as a string, with '?' for each character that is not printable. */
struct name {
	char text[5];
};

static struct name table_name(const struct sdt *t)
{
	struct name n;

	for (unsigned i = 0; i < 4; i++)
		n.text[i] =
			t->signature[i] >= ' ' && t->signature[i] <= '~' ? t->signature[i] : '?';
	n.text[4] = '\0';
	return n;
}

/* Map the whole table at @pa and check its length and checksum. Returns NULL, after a warning, if
 * they are wrong. */
static const struct sdt *map_table(const struct acpi_mem *mem, u64 pa, size_t min_length)
{
	const struct sdt *t = map(mem, pa, sizeof(*t));
	struct name name;
	u32 length;

	if (!t) {
		pr_warn("ACPI: a table at %#lx cannot be mapped; skipped\n", pa);
		return NULL;
	}
	name = table_name(t);
	length = t->length;
	if (length < min_length || length > TABLE_MAX) {
		pr_warn("ACPI: table %s at %#lx: length is %u, must be %zu to %lu; skipped\n",
			name.text, pa, length, min_length, TABLE_MAX);
		return NULL;
	}
	t = map(mem, pa, length);
	if (!t) {
		pr_warn("ACPI: table %s at %#lx: its %u bytes cannot be mapped; skipped\n",
			name.text, pa, length);
		return NULL;
	}
	if (checksum(t, length)) {
		pr_warn("ACPI: table %s at %#lx: checksum is wrong (sum %#x, not 0); skipped\n",
			name.text, pa, checksum(t, length));
		return NULL;
	}
	return t;
}

static bool has_signature(const struct sdt *t, const char *signature)
{
	return memcmp(t->signature, signature, 4) == 0;
}

static void add_cpu(struct acpi_info *info, u32 apic_id, u32 uid, u32 flags)
{
	if (!(flags & (MADT_CPU_ENABLED | MADT_CPU_ONLINE_CAPABLE))) {
		info->nr_absent_cpus++;
		return;
	}
	for (unsigned i = 0; i < info->nr_cpus; i++) {
		if (info->cpus[i].apic_id == apic_id) {
			pr_warn("ACPI: MADT: APIC ID %u is listed twice (processors %u and %u); "
				"the second is skipped\n",
				apic_id, info->cpus[i].uid, uid);
			return;
		}
	}
	if (info->nr_cpus == ACPI_CPUS) {
		pr_warn("ACPI: MADT: more than %u CPUs; the one with APIC ID %u is skipped\n",
			ACPI_CPUS, apic_id);
		info->nr_skipped_cpus++;
		return;
	}
	info->cpus[info->nr_cpus++] = (struct acpi_cpu){
		.apic_id = apic_id, .uid = uid, .enabled = flags & MADT_CPU_ENABLED};
}

static void parse_madt_entry(struct acpi_info *info, const union madt_entry *e)
{
	switch (e->head.type) {
	case MADT_LAPIC:
		/* 255, the broadcast address, marks an entry without a CPU. */
		if (e->head.length >= sizeof(e->lapic) && e->lapic.apic_id != 0xff)
			add_cpu(info, e->lapic.apic_id, e->lapic.uid, e->lapic.flags);
		break;
	case MADT_X2APIC:
		if (e->head.length >= sizeof(e->x2apic) && e->x2apic.apic_id != 0xffffffff)
			add_cpu(info, e->x2apic.apic_id, e->x2apic.uid, e->x2apic.flags);
		break;
	default:
		break;
	}
}

/* The flags of an entry that describes the CPU with the APIC ID *@apic_id; NULL if it describes
 * none.
 */
static void *cpu_flags(union madt_entry *e, u32 *apic_id)
{
	if (e->head.type == MADT_LAPIC && e->head.length >= sizeof(e->lapic)) {
		*apic_id = e->lapic.apic_id;
		return *apic_id == 0xff ? NULL : (u8 *)e + offsetof(union madt_entry, lapic.flags);
	}
	if (e->head.type == MADT_X2APIC && e->head.length >= sizeof(e->x2apic)) {
		*apic_id = e->x2apic.apic_id;
		return *apic_id == 0xffffffff ? NULL
					      : (u8 *)e + offsetof(union madt_entry, x2apic.flags);
	}
	return NULL;
}

unsigned acpi_hide_cpus(void *madt, u32 length, bool (*runs)(u32 apic_id))
{
	struct madt *table = madt;
	u8 *p = table->entries, *end = (u8 *)madt + length;
	unsigned hidden = 0;

	while (end - p >= 2 && p[1] >= 2 && p[1] <= end - p) {
		u32 apic_id, flags;
		void *at = cpu_flags((void *)p, &apic_id);

		p += p[1];
		if (!at)
			continue;
		memcpy(&flags, at, sizeof(flags));
		if (!(flags & (MADT_CPU_ENABLED | MADT_CPU_ONLINE_CAPABLE)) || runs(apic_id))
			continue;
		flags &= ~(u32)(MADT_CPU_ENABLED | MADT_CPU_ONLINE_CAPABLE);
		memcpy(at, &flags, sizeof(flags));
		hidden++;
	}
	table->head.checksum = (u8)(table->head.checksum - checksum(madt, length));
	return hidden;
}

bool acpi_needs_x2apic(const struct acpi_info *info)
{
	for (unsigned i = 0; i < info->nr_cpus; i++)
		if (info->cpus[i].enabled && info->cpus[i].apic_id >= 0xff)
			return true;
	return false;
}

static void parse_madt(struct acpi_info *info, const struct madt *madt)
{
	u32 left = madt->head.length - sizeof(*madt);
	const u8 *p = madt->entries;

	while (left >= 2) {
		const union madt_entry *e = (const void *)p;

		if (e->head.length < 2 || e->head.length > left) {
			pr_warn("ACPI: MADT: an entry of type %u has length %u, but %u bytes are "
				"left; the rest is skipped\n",
				e->head.type, e->head.length, left);
			info->nr_skipped_cpus++; /* it may describe one */
			return;
		}
		parse_madt_entry(info, e);
		left -= e->head.length;
		p += e->head.length;
	}
}

/* The table's UART type is ignored: any UART at COM1's or COM2's address counts as that port. */
static void parse_spcr(struct acpi_info *info, const struct spcr *spcr)
{
	info->spcr_uart = (struct acpi_reg){.address = spcr->base_address.address,
					    .space = spcr->base_address.space};
}

/*
 * Decode the integer at the start of the AML from @p to @end. Returns -1 if there is none; else
 * stores the address of the byte after it in *@next.
 * Source: ACPI Specification, "Data Objects Encoding".
 */
static s64 aml_integer(const u8 *p, const u8 *end, const u8 **next)
{
	unsigned bytes = 0;
	u64 value = 0;

	if (p == end)
		return -1;
	switch (*p++) {
	case 0x00: /* ZeroOp */
		break;
	case 0x01: /* OneOp */
		value = 1;
		break;
	case 0x0a: /* BytePrefix */
		bytes = 1;
		break;
	case 0x0b: /* WordPrefix */
		bytes = 2;
		break;
	case 0x0c: /* DWordPrefix */
		bytes = 4;
		break;
	default:
		return -1;
	}
	if ((size_t)(end - p) < bytes)
		return -1;
	if (bytes)
		memcpy(&value, p, bytes);
	*next = p + bytes;
	return (s64)value;
}

/*
 * Decode the first two integers, from 0 to 7, of the Package at @p. Returns false if it is damaged.
 * Source: ACPI Specification, "Package Length Encoding".
 */
static bool aml_sleep_package(const u8 *p, const u8 *end, s64 *a, s64 *b)
{
	unsigned more, elements;
	size_t length;

	if (end - p < 3 || *p++ != 0x12) /* PackageOp */
		return false;
	more = *p >> 6;
	if ((size_t)(end - p) < 1 + more)
		return false;
	length = more ? *p & 0xf : *p & 0x3f;
	for (unsigned i = 0; i < more; i++)
		length |= (size_t)p[1 + i] << (4 + 8 * i);
	if (length > (size_t)(end - p) || length < 2u + more)
		return false;
	end = p + length;
	p += 1 + more;
	elements = *p++;
	*a = elements ? aml_integer(p, end, &p) : -1;
	/* A package of one element holds both values in it, one in each byte. */
	if (elements == 1 && *a >= 0) {
		*b = *a >> 8;
		*a &= 0xff;
	} else {
		*b = *a < 0 ? -1 : aml_integer(p, end, &p);
	}
	return *a >= 0 && *a <= 7 && *b >= 0 && *b <= 7;
}

/* Look for Name (_S5, Package () {SLP_TYPa, SLP_TYPb, ...}) in the AML of @t. */
static void parse_s5(struct acpi_info *info, const struct sdt *t)
{
	const u8 *start = (const u8 *)(t + 1), *end = (const u8 *)t + t->length;
	s64 a, b;

	for (const u8 *p = start; !info->has_s5 && end - p >= 4; p++) {
		bool named = (p - start >= 1 && p[-1] == 0x08) || /* NameOp, optionally a '\' */
			     (p - start >= 2 && p[-1] == '\\' && p[-2] == 0x08);

		if (!named || memcmp(p, "_S5_", 4) != 0 || !aml_sleep_package(p + 4, end, &a, &b))
			continue;
		info->has_s5 = true;
		info->slp_typa = (u8)a;
		info->slp_typb = (u8)b;
	}
}

/* The register that a FADT gives twice: as @x (since ACPI 2.0, preferred) and as the port @port. */
static struct acpi_reg fadt_reg(const char *name, const struct gas *x, u32 port)
{
	struct acpi_reg reg = {.address = port, .space = ACPI_SPACE_IO};

	if (x && x->address)
		reg = (struct acpi_reg){.address = x->address, .space = x->space};
	if (reg.space == ACPI_SPACE_IO && reg.address > 0xffff) {
		pr_warn("ACPI: FADT: %s is I/O port %#lx, above 0xffff; skipped\n", name,
			reg.address);
		return (struct acpi_reg){0};
	}
	return reg;
}

static void parse_fadt(struct acpi_info *info, const struct acpi_mem *mem, const struct fadt *f)
{
	bool has_reset = f->head.length > offsetof(struct fadt, reset_value);
	bool has_x = f->head.length >= sizeof(*f);
	u64 dsdt_pa = f->head.length >= offsetof(struct fadt, x_dsdt) + 8 ? f->x_dsdt : 0;
	const struct sdt *dsdt = map_table(mem, dsdt_pa ? dsdt_pa : f->dsdt, sizeof(*dsdt));

	info->pm1a_cnt = fadt_reg("PM1a_CNT_BLK", has_x ? &f->x_pm1a_cnt : NULL, f->pm1a_cnt);
	info->pm1b_cnt = fadt_reg("PM1b_CNT_BLK", has_x ? &f->x_pm1b_cnt : NULL, f->pm1b_cnt);
	if (f->head.revision >= 2 && has_reset && (f->flags & FADT_RESET_REG_SUP)) {
		info->reset_reg = fadt_reg("RESET_REG", &f->reset_reg, 0);
		info->reset_value = f->reset_value;
		info->reset_is_smi = f->smi_cmd && info->reset_reg.space == ACPI_SPACE_IO &&
				     info->reset_reg.address == f->smi_cmd;
	}
	if (dsdt && has_signature(dsdt, "DSDT"))
		parse_s5(info, dsdt);
}

bool acpi_is_power_off(const struct acpi_info *info, const struct acpi_reg *reg, unsigned slp_typ)
{
	return info->has_s5 &&
	       slp_typ == (reg == &info->pm1b_cnt ? info->slp_typb : info->slp_typa);
}

static void parse_table(struct acpi_info *info, const struct acpi_mem *mem, u64 pa)
{
	const struct sdt *t = map(mem, pa, sizeof(*t));

	if (!t) {
		pr_warn("ACPI: a table at %#lx cannot be mapped; skipped\n", pa);
	} else if (has_signature(t, "APIC") && !info->nr_cpus) {
		t = map_table(mem, pa, sizeof(struct madt));
		if (t) {
			info->madt = pa;
			info->madt_length = t->length;
			parse_madt(info, (const void *)t);
		}
	} else if (has_signature(t, "FACP") && !info->pm1a_cnt.address) {
		t = map_table(mem, pa, FADT_V1_LENGTH);
		if (t)
			parse_fadt(info, mem, (const void *)t);
	} else if (has_signature(t, "SPCR") && !info->spcr_uart.address) {
		t = map_table(mem, pa, sizeof(struct spcr));
		if (t)
			parse_spcr(info, (const void *)t);
	} else if (has_signature(t, "SSDT") && !info->has_s5) {
		t = map_table(mem, pa, sizeof(*t));
		if (t)
			parse_s5(info, t);
	}
}

/* Parse the RSDT (@size 4) or XSDT (@size 8) at @pa: a list of table addresses of @size bytes. */
static int parse_root(struct acpi_info *info, const struct acpi_mem *mem, u64 pa,
		      const char *signature, unsigned size)
{
	const struct sdt *root = map_table(mem, pa, sizeof(*root));
	u32 nr;

	if (!root)
		return -EINVAL;
	if (!has_signature(root, signature)) {
		pr_warn("ACPI: the table at %#lx should be %s but is %s; skipped\n", pa, signature,
			table_name(root).text);
		return -EINVAL;
	}
	nr = (root->length - sizeof(*root)) / size;
	if (nr > TABLES_MAX) {
		pr_warn("ACPI: %s: %u tables; those after the first %u are skipped\n", signature,
			nr, TABLES_MAX);
		nr = TABLES_MAX;
	}
	for (u32 i = 0; i < nr; i++) {
		u64 table = 0;

		memcpy(&table, (const u8 *)(root + 1) + (size_t)i * size, size);
		parse_table(info, mem, table);
	}
	return 0;
}

static bool rsdp_valid(const void *rsdp, size_t len)
{
	return len >= RSDP_V1_LENGTH && memcmp(rsdp, "RSD PTR ", 8) == 0 &&
	       checksum(rsdp, RSDP_V1_LENGTH) == 0;
}

/* The XSDT's address, or 0 if the RSDP has revision 0 or its extended part is damaged. */
static u64 rsdp_xsdt(const struct rsdp *r, size_t len)
{
	if (r->revision < 2 || len < sizeof(*r) || !r->xsdt)
		return 0;
	if (r->length < sizeof(*r) || r->length > len || checksum(r, r->length)) {
		pr_warn("ACPI: RSDP: length %u or its extended checksum is wrong; using the RSDT\n",
			r->length);
		return 0;
	}
	return r->xsdt;
}

int acpi_parse_rsdp(struct acpi_info *info, const struct acpi_mem *mem, const void *rsdp,
		    size_t len)
{
	const struct rsdp *r = rsdp;
	int err = -EINVAL;
	u64 xsdt;

	memset(info, 0, sizeof(*info));
	if (!rsdp_valid(rsdp, len)) {
		pr_err("ACPI: the root pointer (RSDP) is damaged: signature or checksum is wrong; "
		       "is ACPI on in the firmware?\n");
		return -EINVAL;
	}
	xsdt = rsdp_xsdt(r, len);
	if (xsdt)
		err = parse_root(info, mem, xsdt, "XSDT", 8);
	if (err)
		err = parse_root(info, mem, r->rsdt, "RSDT", 4);
	if (err) {
		pr_err("ACPI: neither XSDT nor RSDT can be used; only the boot CPU is known\n");
		return err;
	}
	if (!info->nr_cpus) {
		pr_err("ACPI: no table APIC (MADT) lists a CPU; only the boot CPU is known\n");
		return -ENOENT;
	}
	return 0;
}

int acpi_parse(struct acpi_info *info, const struct acpi_mem *mem, u64 rsdp_pa)
{
	size_t len = sizeof(struct rsdp);
	const void *rsdp = map(mem, rsdp_pa, len);

	if (!rsdp) {
		len = RSDP_V1_LENGTH;
		rsdp = map(mem, rsdp_pa, len);
	}
	if (!rsdp) {
		memset(info, 0, sizeof(*info));
		pr_err("ACPI: the root pointer (RSDP) at %#lx cannot be mapped; only the boot CPU "
		       "is known\n",
		       rsdp_pa);
		return -EINVAL;
	}
	return acpi_parse_rsdp(info, mem, rsdp, len);
}

static u64 scan(const struct acpi_mem *mem, u64 start, u64 end)
{
	for (u64 pa = start; pa + RSDP_V1_LENGTH <= end; pa += 16) {
		const void *p = map(mem, pa, RSDP_V1_LENGTH);

		if (p && rsdp_valid(p, RSDP_V1_LENGTH))
			return pa;
	}
	return 0;
}

u64 acpi_find_rsdp(const struct acpi_mem *mem)
{
	const void *segment = map(mem, 0x40e, 2); /* BIOS data area: the EBDA's segment */
	u64 ebda = 0, found = 0;

	if (segment)
		memcpy(&ebda, segment, 2);
	ebda <<= 4;
	if (ebda >= 0x500 && ebda < 0xa0000)
		found = scan(mem, ebda, ebda + KIB(1));
	return found ? found : scan(mem, 0xe0000, 0x100000);
}
