/* SPDX-License-Identifier: MIT */
/*
 * Device paths and load options: what a path means on a volume, names of files, and bytes that are
 * malformed.
 */
#include "tests/unit/stubs.h"

#include "boot/efi/device_path.h"

/* A device path that is written node by node. */
static u8 bytes[4096];
static size_t used;

static void node(u8 type, u8 subtype, const void *data, size_t n)
{
	u8 head[4] = {type, subtype, (u8)(n + 4), (u8)((n + 4) >> 8)};

	memcpy(bytes + used, head, 4);
	if (n)
		memcpy(bytes + used + 4, data, n);
	used += 4 + n;
}

static void end(void)
{
	node(END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, NULL, 0);
}

static void pci(u8 device)
{
	node(HARDWARE_DEVICE_PATH, HW_PCI_DP, (u8[2]){0, device}, 2);
}

static void partition(u32 number, u8 signature, u8 kind)
{
	HARDDRIVE_DEVICE_PATH hd = {.PartitionNumber = number, .SignatureType = kind};

	memset(hd.Signature, 0, sizeof(hd.Signature));
	hd.Signature[3] = signature;
	node(MEDIA_DEVICE_PATH, MEDIA_HARDDRIVE_DP, (u8 *)&hd + 4, 38);
}

static void file(const CHAR16 *name)
{
	size_t n = 0;

	while (name[n++])
		;
	node(MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, name, n * 2);
}

/* What was written since the last call, at an address that only bytes are aligned to, in a block of
 * its size. */
static EFI_DEVICE_PATH *take(void)
{
	u8 *copy = malloc(used + 1);

	memcpy(copy + 1, bytes, used);
	assert_int_equal(path_size(copy + 1, used), used);
	used = 0;
	return (EFI_DEVICE_PATH *)(copy + 1);
}

static void give(const void *path)
{
	free((u8 *)path - 1);
}

/* Does @path, which is consumed, mean something on @volume? "": the removable path; NULL: no. */
static const char *meaning(EFI_DEVICE_PATH *path, const EFI_DEVICE_PATH *volume)
{
	const EFI_DEVICE_PATH *rest = path_match(path, volume);
	static CHAR16 name[FILE_NAME_MAX];
	static char text[FILE_NAME_MAX];

	text[0] = '\0';
	if (rest && !path_is_end(rest)) {
		assert_true(path_file_name(rest, name));
		for (size_t i = 0; i == 0 || name[i - 1]; i++)
			text[i] = (char)name[i];
	}
	give(path);
	return rest ? text : NULL;
}

static EFI_DEVICE_PATH *volume(u8 device, u32 number, u8 signature, u8 kind)
{
	pci(device);
	partition(number, signature, kind);
	end();
	return take();
}

static void test_match(void **state)
{
	EFI_DEVICE_PATH *gpt = volume(1, 2, 7, SIGNATURE_TYPE_GUID),
			*mbr = volume(1, 2, 7, SIGNATURE_TYPE_MBR);
	EFI_DEVICE_PATH *none = volume(1, 2, 0, 0);

	(void)state;
	/* The whole path. */
	pci(1), partition(2, 7, SIGNATURE_TYPE_GUID), file(L"\\EFI\\x.efi"), end();
	assert_string_equal(meaning(take(), gpt), "\\EFI\\x.efi");
	pci(2), partition(2, 7, SIGNATURE_TYPE_GUID), file(L"\\EFI\\x.efi"), end();
	assert_null(meaning(take(), gpt));
	pci(1), partition(2, 7, SIGNATURE_TYPE_GUID), pci(3), end();
	assert_null(meaning(take(), gpt));
	/* The disk, the volume without a file. */
	pci(1), end();
	assert_string_equal(meaning(take(), gpt), "");
	pci(1), partition(2, 7, SIGNATURE_TYPE_GUID), end();
	assert_string_equal(meaning(take(), gpt), "");
	/* A partition by itself; its number counts only with an MBR. */
	partition(9, 7, SIGNATURE_TYPE_GUID), file(L"\\a"), file(L"b"), end();
	assert_string_equal(meaning(take(), gpt), "\\a\\b");
	partition(2, 7, SIGNATURE_TYPE_GUID), end();
	assert_string_equal(meaning(take(), gpt), "");
	partition(2, 8, SIGNATURE_TYPE_GUID), file(L"\\a"), end();
	assert_null(meaning(take(), gpt));
	partition(2, 7, SIGNATURE_TYPE_MBR), file(L"\\a"), end();
	assert_null(meaning(take(), gpt));
	partition(2, 7, SIGNATURE_TYPE_MBR), file(L"\\a"), end();
	assert_string_equal(meaning(take(), mbr), "\\a");
	partition(1, 7, SIGNATURE_TYPE_MBR), file(L"\\a"), end();
	assert_null(meaning(take(), mbr));
	partition(2, 0, 0), file(L"\\a"), end();
	assert_null(meaning(take(), none));
	node(MEDIA_DEVICE_PATH, MEDIA_HARDDRIVE_DP, "short", 5), file(L"\\a"), end();
	assert_null(meaning(take(), gpt));
	/* A file by itself. */
	file(L"a/b"), end();
	assert_string_equal(meaning(take(), gpt), "\\a\\b");
	give(gpt), give(mbr), give(none);
}

static void test_size(void **state)
{
	u8 path[] = {1, 1, 6, 0, 0, 0, 0x7f, 0xff, 4, 0}, *copy;

	(void)state;
	assert_int_equal(path_size(path, sizeof(path)), 10);
	assert_int_equal(path_size(path, 100), 10);
	for (size_t n = 0; n < sizeof(path); n++) {
		copy = exact_copy(path, n);
		assert_int_equal(path_size(copy, n), 0);
		free(copy);
	}
	for (u8 n = 0; n < 4; n++) {
		path[2] = n;
		assert_int_equal(path_size(path, sizeof(path)), 0);
	}
	path[2] = 6;
	path[3] = 0xff;
	assert_int_equal(path_size(path, sizeof(path)), 0);
	path[3] = 0;
	path[8] = 3;
	assert_int_equal(path_size(path, sizeof(path)), 0);
	/* An end node with data. */
	path[2] = 5;
	memcpy(path + 5, (u8[]){0x7f, 0xff, 5, 0, 0}, 5);
	assert_int_equal(path_size(path, sizeof(path)), 0);
}

static void test_names(void **state)
{
	CHAR16 name[FILE_NAME_MAX], other[FILE_NAME_MAX], text[FILE_NAME_MAX];
	EFI_DEVICE_PATH *path;
	struct file_path made;
	u8 *joined;
	size_t size;

	(void)state;
	file(L"EFI"), file(L"\\Boot\\\\x.efi"), end();
	path = take();
	assert_true(path_file_name(path, name));
	path_of_file(&made, L"/efi/BOOT/X.EFI");
	assert_int_equal(path_size(&made, sizeof(made)), 4 + 16 * 2 + 4);
	assert_true(path_file_name(&made.node, other));
	assert_true(same_file_name(name, other));
	other[0] = 'x';
	assert_false(same_file_name(name, other));
	assert_false(same_file_name(L"\\a", L"\\ab"));
	assert_false(same_file_name(L"\\ab", L"\\a"));

	joined = malloc(1 + path_size(path, 4096) + path_size(&made, 4096) - 4);
	size = path_join(joined + 1, path, &made.node);
	assert_int_equal(path_size(joined + 1, size), size);
	free(joined);
	give(path);

	/* Not only files; no name; no NUL in the node; an odd length; too long. */
	pci(1), file(L"a"), end();
	path = take();
	assert_false(path_file_name(path, name));
	give(path);
	end();
	path = take();
	assert_false(path_file_name(path, name));
	give(path);
	node(MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, "a\0b\0c", 5), end();
	path = take();
	assert_true(path_file_name(path, name));
	assert_true(same_file_name(name, L"\\ab"));
	give(path);
	for (unsigned i = 0; i < FILE_NAME_MAX; i++)
		text[i] = 'x';
	text[FILE_NAME_MAX - 2] = 0;
	file(text), end();
	path = take();
	assert_true(path_file_name(path, name));
	give(path);
	file(text), file(L"y"), end();
	path = take();
	assert_false(path_file_name(path, name));
	give(path);
	text[FILE_NAME_MAX - 2] = 'x';
	path_of_file(&made, text); /* no NUL: cut, never read beyond */
	assert_int_equal(path_size(&made, sizeof(made)), sizeof(made));
}

/* A Boot####, and where its parts are. */
static size_t make_option(u8 *to)
{
	static const CHAR16 title[] = L"Debian \x00fc";
	size_t n = 6 + sizeof(title);

	used = 0;
	partition(1, 7, SIGNATURE_TYPE_GUID), file(L"\\x"), end();
	memcpy(to, (u8[6]){9, 0, 0, 0, (u8)used, 0}, 6);
	memcpy(to + 6, title, sizeof(title));
	memcpy(to + n, bytes, used);
	memcpy(to + n + used, "data", 4);
	n += used + 4;
	used = 0;
	return n;
}

static void test_load_option(void **state)
{
	struct load_option option;
	u8 buffer[256], *copy;
	size_t n = make_option(buffer);

	(void)state;
	assert_true(load_option_parse(&option, buffer, n));
	assert_int_equal(option.attributes, LOAD_OPTION_ACTIVE | LOAD_OPTION_HIDDEN);
	assert_string_equal(option.description, "Debian ?");
	assert_ptr_equal(option.path, buffer + 6 + 18);
	assert_int_equal(option.data_size, 4);
	assert_memory_equal(option.data, "data", 4);
	/* Cut anywhere: refused, or only the data is shorter. */
	for (size_t size = 0; size < n; size++) {
		copy = exact_copy(buffer, size);
		assert_int_equal(load_option_parse(&option, copy, size), size >= n - 4);
		free(copy);
	}
	/* Lengths that lie. */
	for (unsigned length = 0; length < 256; length++) {
		copy = exact_copy(buffer, n);
		copy[4] = (u8)length;
		assert_int_equal(load_option_parse(&option, copy, n),
				 length >= buffer[4] && length <= buffer[4] + 4u);
		free(copy);
	}
	buffer[5] = 0xff;
	assert_false(load_option_parse(&option, buffer, n));
	/* A path of no nodes. */
	memcpy(buffer, (u8[]){1, 0, 0, 0, 4, 0, 0, 0, 0x7f, 0xff, 4, 0}, 12);
	assert_false(load_option_parse(&option, buffer, 12));
}

static void test_random(void **state)
{
	EFI_DEVICE_PATH *on = volume(1, 2, 7, SIGNATURE_TYPE_GUID);
	const EFI_DEVICE_PATH *rest;
	CHAR16 name[FILE_NAME_MAX];
	struct load_option option;
	u8 buffer[256], *copy;
	u64 seed = 5;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t n = make_option(buffer);

		for (u64 k = rand_below(&seed, 5); k; k--)
			buffer[rand_below(&seed, n)] =
				(u8)rand_below(&seed, rand_below(&seed, 2) ? 8 : 256);
		n -= rand_below(&seed, 8);
		copy = exact_copy(buffer, n);
		if (load_option_parse(&option, copy, n)) {
			rest = path_match(option.path, on);
			path_file_name(rest ? rest : option.path, name);
		}
		free(copy);
	}
	give(on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),  cmocka_unit_test(test_size),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_load_option),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
