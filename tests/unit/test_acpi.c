/* SPDX-License-Identifier: MIT */
/*
 * The ACPI parser: it reads good tables, logs and skips damaged ones, and never reads outside them.
 */
#include "tests/unit/stubs.h"

#include "drivers/acpi.h"
#include "errno.h"

/* The first MiB of a machine. Each mapping is a new copy, so that the sanitizer sees an over-read.
 */
static u8 ram[1 << 20];
static void *mapped[20000];
static unsigned nr_mapped;
static struct acpi_info info;

static const void *map_ram(u64 pa, size_t len)
{
	assert_true(pa + len >= pa);
	if (pa >= sizeof(ram) || len > sizeof(ram) - pa)
		return NULL;
	assert_true(nr_mapped < ARRAY_SIZE(mapped));
	return mapped[nr_mapped++] = exact_copy(ram + pa, len);
}

static const struct acpi_mem mem = {.map = map_ram};

static void unmap_all(void)
{
	while (nr_mapped)
		free(mapped[--nr_mapped]);
}

static int parse(u64 rsdp)
{
	int err;

	log_clear();
	err = acpi_parse(&info, &mem, rsdp);
	unmap_all();
	return err;
}

static void fix_sum(u32 at, u32 len, u32 sum_at)
{
	u8 sum = 0;

	ram[at + sum_at] = 0;
	for (u32 i = 0; i < len; i++)
		sum += ram[at + i];
	ram[at + sum_at] = (u8)-sum;
}

static void put(u32 at, u64 value, unsigned bytes)
{
	memcpy(ram + at, &value, bytes);
}

static u32 put_table(u32 at, const char *signature, u8 revision, const void *body, u32 n)
{
	memset(ram + at, 0, 36);
	memcpy(ram + at, signature, 4);
	put(at + 4, 36 + n, 4);
	ram[at + 8] = revision;
	if (n)
		memcpy(ram + at + 36, body, n);
	fix_sum(at, 36 + n, 9);
	return at;
}

/* Where the tables of the sample machine are. */
enum {
	RSDP = 0xf0010,
	RSDT = 0xf1000,
	XSDT = 0xf1800,
	FADT = 0xf2000,
	MADT = 0xf3000,
	DSDT = 0xf4000,
	SSDT = 0xf5000,
};

static void put_rsdp(u32 at, u8 revision)
{
	memset(ram + at, 0, revision ? 36 : 20);
	memcpy(ram + at, "RSD PTR ", 8);
	ram[at + 15] = revision;
	put(at + 16, RSDT, 4);
	fix_sum(at, 20, 8);
	if (!revision)
		return;
	put(at + 20, 36, 4);
	put(at + 24, XSDT, 8);
	fix_sum(at, 36, 32);
}

static const u8 madt_body[] = {
	0,    0,  0xe0, 0xfe, 1, 0,    0,    0,                 /* LAPIC at fee00000, PCAT_COMPAT */
	0,    8,  1,    0,    1, 0,    0,    0,                 /* CPU 1, APIC ID 0 */
	0,    8,  2,    4,    1, 0,    0,    0,                 /* CPU 2, APIC ID 4 */
	0,    8,  3,    6,    0, 0,    0,    0,                 /* not there */
	0,    8,  4,    0xff, 1, 0,    0,    0,                 /* none */
	0,    8,  5,    8,    2, 0,    0,    0,                 /* online-capable */
	1,    12, 7,    0,    0, 0,    0xc0, 0xfe, 0,  0, 0, 0, /* IOAPIC 7 */
	2,    10, 0,    0,    2, 0,    0,    0,    0,  0,       /* IRQ 0 is GSI 2 */
	9,    16, 0,    0,    0, 1,    0,    0,    1,  0, 0, 0,
	0x20, 0,  0,    0, /* x2APIC ID 256, UID 32 */
	9,    16, 0,    0,    4, 0,    0,    0,    1,  0, 0, 0,
	0x21, 0,  0,    0,                                      /* APIC ID 4 again */
	1,    12, 8,    0,    0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0, /* IOAPIC 8 */
};

static const u8 s5[] = {0x08, '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 5, 0x0a, 6, 0, 0};

static void put_fadt(u8 revision, u32 length)
{
	u8 body[260] = {0};

	memset(ram + FADT, 0, 512);
	put_table(FADT, "FACP", revision, body, length - 36);
	put(FADT + 40, DSDT, 4);
	put(FADT + 46, 9, 2);
	put(FADT + 48, 0xb2, 4);
	put(FADT + 64, 0xb004, 4);
	ram[FADT + 89] = 2;
	if (length > 129) {
		put(FADT + 112, BIT(10), 4);
		memcpy(ram + FADT + 116, (u8[]){1, 8, 0, 1, 0xf9, 0x0c}, 6);
		ram[FADT + 128] = 6;
	}
	if (length >= 244) {
		put(FADT + 140, DSDT, 8);
		memcpy(ram + FADT + 172, (u8[]){1, 16, 0, 2, 0x04, 0x06}, 6);
	}
	fix_sum(FADT, length, 9);
}

/* @revision 0: as in Bochs. 2: an XSDT, a long FADT, and \_S5 in the SSDT, which only the XSDT
 * lists. */
static void sample(u8 revision)
{
	const u32 tables[] = {FADT, MADT, SSDT};
	u8 list[64];

	memset(ram, 0, sizeof(ram));
	put_rsdp(RSDP, revision);
	memcpy(list, tables, sizeof(tables));
	put_table(RSDT, "RSDT", 1, list, revision ? 8 : 12);
	for (unsigned i = 0; i < 3; i++)
		memcpy(list + (size_t)i * 8, &(u64){tables[i]}, 8);
	put_table(XSDT, "XSDT", 1, list, 24);
	put_fadt(revision ? 6 : 1, revision ? 268 : 116);
	put_table(MADT, "APIC", 1, madt_body, sizeof(madt_body));
	put_table(DSDT, "DSDT", 1, s5, revision ? 0 : sizeof(s5));
	put_table(SSDT, "SSDT", 1, s5, revision ? sizeof(s5) : 0);
}

static void check_madt(void)
{
	static const u32 ids[] = {0, 4, 8, 256}, uids[] = {1, 2, 5, 32};

	assert_int_equal(info.nr_cpus, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(info.cpus[i].apic_id, ids[i]);
		assert_int_equal(info.cpus[i].uid, uids[i]);
		assert_int_equal(info.cpus[i].enabled, i != 2);
	}
}

static void test_old_machine(void **state)
{
	(void)state;
	sample(0);
	assert_int_equal(parse(RSDP), 0);
	check_madt();
	assert_true(log_has("APIC ID 4 is listed twice"));
	assert_int_equal(info.pm1a_cnt.address, 0xb004);
	assert_int_equal(info.pm1a_cnt.space, ACPI_SPACE_IO);
	assert_int_equal(info.pm1b_cnt.address, 0);
	assert_int_equal(info.reset_reg.address, 0);
	assert_true(info.has_s5);
	assert_int_equal(info.slp_typa, 5);
	assert_int_equal(info.slp_typb, 6);
}

/* SPCR: the UART of the firmware's console. */
static void test_spcr(void **state)
{
	u8 body[44] = {0, 0, 0, 0, ACPI_SPACE_IO, 8, 0, 1, 0xf8, 2};

	(void)state;
	sample(2);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.spcr_uart.address, 0);

	put_table(SSDT, "SPCR", 2, body, sizeof(body));
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.spcr_uart.address, 0x2f8);
	assert_int_equal(info.spcr_uart.space, ACPI_SPACE_IO);

	put_table(SSDT, "SPCR", 2, body, 15); /* it ends within the address */
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.spcr_uart.address, 0);
	assert_true(log_has("table SPCR at 0xf5000: length is 51, must be 52"));
}

static void test_new_machine(void **state)
{
	(void)state;
	sample(2);
	assert_int_equal(parse(RSDP), 0);
	check_madt();
	assert_int_equal(info.pm1a_cnt.address, 0x604);
	assert_int_equal(info.reset_reg.address, 0xcf9);
	assert_int_equal(info.reset_reg.space, ACPI_SPACE_IO);
	assert_int_equal(info.reset_value, 6);
	assert_false(info.reset_is_smi);
	assert_true(info.has_s5);

	/* A boot loader's copy of the RSDP gives the same. */
	assert_int_equal(acpi_parse_rsdp(&info, &mem, ram + RSDP, 36), 0);
	assert_true(info.has_s5);
	unmap_all();

	/* Without the flag, or in a FADT of ACPI 1.0, there is no reset register. */
	put(FADT + 112, 0, 4);
	fix_sum(FADT, 268, 9);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.reset_reg.address, 0);
	put_fadt(1, 268);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.reset_reg.address, 0);

	/* The X_ fields are empty; a port is out of range. */
	put_fadt(6, 268);
	put(FADT + 176, 0, 8);
	put(FADT + 140, 0, 8);
	put(FADT + 68, 0x10000, 4);
	fix_sum(FADT, 268, 9);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.pm1a_cnt.address, 0xb004);
	assert_int_equal(info.pm1b_cnt.address, 0);
	assert_true(log_has("PM1b_CNT_BLK is I/O port 0x10000"));
	assert_true(info.has_s5);
}

/* A reset register that is SMI_CMD, which is B2h; not where the same number is an address in
 * memory. */
static void test_reset_by_smi(void **state)
{
	(void)state;
	sample(2);
	ram[FADT + 120] = 0xb2;
	ram[FADT + 121] = 0;
	fix_sum(FADT, 268, 9);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.reset_reg.address, 0xb2);
	assert_true(info.reset_is_smi);
	ram[FADT + 116] = 0;
	fix_sum(FADT, 268, 9);
	assert_int_equal(parse(RSDP), 0);
	assert_false(info.reset_is_smi);
	ram[FADT + 116] = 1;
	put(FADT + 48, 0, 4);
	fix_sum(FADT, 268, 9);
	assert_int_equal(parse(RSDP), 0);
	assert_false(info.reset_is_smi);
}

/* SLP_EN with the type that _S5 has for this register, which another sleep may have for the other;
 * never where there is no _S5. */
static void test_power_off(void **state)
{
	struct acpi_info known = {.has_s5 = true, .slp_typa = 5, .slp_typb = 6}, unknown = {0};

	(void)state;
	for (unsigned type = 0; type < 8; type++) {
		assert_int_equal(acpi_is_power_off(&known, &known.pm1a_cnt, type), type == 5);
		assert_int_equal(acpi_is_power_off(&known, &known.pm1b_cnt, type), type == 6);
		assert_false(acpi_is_power_off(&unknown, &unknown.pm1a_cnt, type));
	}
}

static void test_damage(void **state)
{
	(void)state;
	sample(2);
	ram[XSDT + 40] ^= 1; /* the checksum is wrong: RSDT is used, which does not list the SSDT */
	assert_int_equal(parse(RSDP), 0);
	check_madt();
	assert_false(info.has_s5);
	assert_true(log_has("table XSDT at 0xf1800: checksum is wrong"));
	ram[RSDT + 4] = 35;
	assert_int_equal(parse(RSDP), -EINVAL);
	assert_true(log_has("length is 35"));

	sample(2);
	ram[RSDP + 33] ^= 1;
	assert_int_equal(parse(RSDP), 0);
	assert_true(log_has("extended checksum"));
	ram[RSDP + 10] ^= 1;
	assert_int_equal(parse(RSDP), -EINVAL);
	assert_int_equal(parse(0), -EINVAL);
	assert_int_equal(parse(sizeof(ram) - 10), -EINVAL);
	assert_int_equal(parse(UINT64_MAX - 3), -EINVAL);

	sample(0);
	put(MADT + 4, 0x7fffffff, 4);
	assert_int_equal(parse(RSDP), -ENOENT);
	assert_int_equal(info.nr_cpus, 0);
	assert_true(log_has("table APIC at 0xf3000: length is 2147483647"));
	assert_int_equal(info.pm1a_cnt.address, 0xb004); /* the other tables are used */

	sample(0);
	put(MADT + 4, 0x100000, 4);
	assert_int_equal(parse(RSDP), -ENOENT);
	assert_true(log_has("its 1048576 bytes cannot be mapped"));

	/* An entry of length 0, and one that is longer than the table. */
	for (unsigned i = 0; i < 2; i++) {
		sample(0);
		ram[MADT + 53] = i ? 200 : 0;
		fix_sum(MADT, 36 + sizeof(madt_body), 9);
		assert_int_equal(parse(RSDP), 0);
		assert_int_equal(info.nr_cpus, 1);
		assert_int_equal(info.nr_skipped_cpus, 1);
		assert_true(log_has("an entry of type 0 has length"));
	}

	/* Tables that point to themselves. */
	sample(0);
	put_table(RSDT, "RSDT", 1, (u32[]){RSDT, RSDT, MADT, 0, 0xffffffff}, 20);
	put(FADT + 40, FADT, 4);
	assert_int_equal(parse(RSDP), 0);
	check_madt();
}

static bool try_s5(const void *aml, u32 n)
{
	sample(0);
	put_table(DSDT, "DSDT", 1, aml, n);
	assert_int_equal(parse(RSDP), 0);
	return info.has_s5;
}

#define TRY_S5(...) try_s5((u8[]){__VA_ARGS__}, sizeof((u8[]){__VA_ARGS__}))

static void test_s5(void **state)
{
	u8 cut[36 + sizeof(s5)];

	(void)state;
	assert_true(TRY_S5(0x10, 0x08, '\\', '_', 'S', '5', '_', 0x12, 5, 2, 0x0a, 7, 0x01));
	assert_false(info.slp_typa != 7 || info.slp_typb != 1);
	assert_false(TRY_S5(0x10, 0x08, '\\', '_', 'S', '5', '_', 0x12, 5, 2, 0x0a, 8, 0x01));
	/* A long PkgLength, word and double word. */
	assert_true(
		TRY_S5(0x08, '_', 'S', '5', '_', 0x12, 0x4b, 0, 2, 0x0b, 3, 0, 0x0c, 2, 0, 0, 0));
	assert_false(info.slp_typa != 3 || info.slp_typb != 2);
	/* One element holds both. */
	assert_true(TRY_S5(0x08, '_', 'S', '5', '_', 0x12, 5, 1, 0x0b, 4, 3));
	assert_false(info.slp_typa != 4 || info.slp_typb != 3);
	/* No Name, no Package, no elements, not an integer. */
	assert_false(TRY_S5('_', 'S', '5', '_', 0x12, 4, 2, 0, 0));
	assert_false(TRY_S5(0x10, '_', 'S', '5', '_', 0x12, 4, 2, 0, 0));
	assert_false(TRY_S5(0x08, '_', 'S', '5', '_', 0x14, 4, 2, 0, 0));
	assert_false(TRY_S5(0x08, '_', 'S', '5', '_', 0x12, 4, 0, 0, 0));
	assert_false(TRY_S5(0x08, '_', 'S', '5', '_', 0x12, 4, 2, 0x0d, 0));
	assert_false(TRY_S5(0x08, '_', 'S', '5', '_', 0x12, 1, 2, 0, 0));
	/* A wrong \_S5 before the right one. */
	assert_true(TRY_S5(0x08, '_', 'S', '5', '_', 0x12, 4, 2, 9, 9, 0x08, '_', 'S', '5', '_',
			   0x12, 4, 2, 0, 1));
	assert_int_equal(info.slp_typb, 1);

	/* Cut at each byte; then in an SSDT. */
	memcpy(cut, s5, sizeof(s5));
	for (u32 n = 0; n < sizeof(s5); n++)
		assert_false(try_s5(cut, n));
	put_table(SSDT, "SSDT", 1, s5, sizeof(s5));
	assert_int_equal(parse(RSDP), 0);
	assert_true(info.has_s5);
}

static void test_find_rsdp(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	assert_int_equal(acpi_find_rsdp(&mem), 0);
	put_rsdp(0xfffe0, 0);
	assert_int_equal(acpi_find_rsdp(&mem), 0xfffe0);
	put_rsdp(0xe0000, 0);
	assert_int_equal(acpi_find_rsdp(&mem), 0xe0000);
	put(0x40e, 0x9fc0, 2);
	put_rsdp(0x9fc00 + 0x3e0, 0);
	assert_int_equal(acpi_find_rsdp(&mem), 0x9fc00 + 0x3e0);
	ram[0x9fc00 + 0x3e0 + 9]++;
	put_rsdp(0x9fc08, 0); /* not on a boundary of 16 bytes */
	assert_int_equal(acpi_find_rsdp(&mem), 0xe0000);
	put(0x40e, 0xffff, 2);
	assert_int_equal(acpi_find_rsdp(&mem), 0xe0000);
	unmap_all();
}

static void test_many(void **state)
{
	static u8 body[8 + 1100 * 16];

	(void)state;
	memcpy(body, madt_body, 8);
	for (u32 i = 0; i < 1100; i++) {
		u8 *e = body + 8 + (size_t)i * 16;

		memcpy(e, (u8[]){9, 16}, 2);
		memcpy(e + 4, (u32[]){i, 1, i}, 12);
	}
	sample(0);
	put_table(0x80000, "APIC", 1, body, sizeof(body));
	put_table(RSDT, "RSDT", 1, (u32[]){0x80000}, 4);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.nr_cpus, ACPI_CPUS);
	assert_int_equal(info.nr_skipped_cpus, 1100 - ACPI_CPUS);
	assert_true(acpi_needs_x2apic(&info));
	/* CPUs that may be added later are not started. */
	for (u32 i = 0; i < ACPI_CPUS; i++)
		info.cpus[i].enabled = i < 0xff;
	assert_false(acpi_needs_x2apic(&info));
	assert_true(log_has("more than 1024 CPUs"));
}

static bool runs_4_only(u32 apic_id)
{
	return apic_id == 4;
}

/* The CPUs that do not run the guest are gone from the table, which stays valid. */
static void test_hide_cpus(void **state)
{
	(void)state;
	sample(0);
	assert_int_equal(parse(RSDP), 0);
	assert_int_equal(info.madt, MADT);
	assert_int_equal(info.nr_cpus, 4);
	assert_int_equal(acpi_hide_cpus(ram + MADT, info.madt_length, runs_4_only), 3);
	assert_int_equal(parse(RSDP), 0);
	assert_false(log_has("checksum is wrong"));
	assert_int_equal(info.nr_cpus, 1);
	assert_int_equal(info.cpus[0].apic_id, 4);
	assert_false(acpi_needs_x2apic(&info));
	assert_int_equal(acpi_hide_cpus(ram + MADT, info.madt_length, runs_4_only), 0);
	/* An entry of length 0, and one that reaches beyond the end, end the walk. */
	ram[MADT + 44 + 1] = 0;
	assert_int_equal(acpi_hide_cpus(ram + MADT, info.madt_length, runs_4_only), 0);
	ram[MADT + 44 + 1] = 0xff;
	assert_int_equal(acpi_hide_cpus(ram + MADT, info.madt_length, runs_4_only), 0);
}

/* Good tables with random bytes changed; most checksums are corrected. */
static void test_random(void **state)
{
	static const u32 tables[] = {RSDT, XSDT, FADT, MADT, DSDT, SSDT};
	u64 seed = 6;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		sample((u8)(i & 2));
		for (u64 k = rand_below(&seed, 10); k; k--) {
			u32 at = tables[rand_below(&seed, ARRAY_SIZE(tables))];

			ram[at + (rand_below(&seed, 4) ? 36 + rand_below(&seed, 100)
						       : rand_below(&seed, 300))] =
				(u8)(rand_below(&seed, 2) ? rand_below(&seed, 20)
							  : rand_next(&seed));
		}
		for (unsigned t = 0; t < ARRAY_SIZE(tables); t++) {
			u32 len;

			memcpy(&len, ram + tables[t] + 4, 4);
			if (len >= 36 && len < 0x1000 && rand_below(&seed, 10))
				fix_sum(tables[t], len, 9);
		}
		parse(RSDP);
		assert_true(info.nr_cpus <= ACPI_CPUS);
		assert_true(info.slp_typa <= 7 && info.slp_typb <= 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_machine),  cmocka_unit_test(test_new_machine),
		cmocka_unit_test(test_reset_by_smi), cmocka_unit_test(test_power_off),
		cmocka_unit_test(test_damage),       cmocka_unit_test(test_s5),
		cmocka_unit_test(test_find_rsdp),    cmocka_unit_test(test_many),
		cmocka_unit_test(test_hide_cpus),    cmocka_unit_test(test_random),
		cmocka_unit_test(test_spcr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
