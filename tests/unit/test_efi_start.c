/* SPDX-License-Identifier: MIT */
/*
 * The steps of the UEFI front door: in which order they are taken, what is given back after a
 * refusal, and that every refusal waits for a key.
 */
#include "tests/unit/stubs.h"

#include <setjmp.h>
#include <stdarg.h>

#include "boot/efi/choice.h"
#include "boot/efi_switch.h"
#include "boot/mbi.h"
#include "log_ring.h"

/* Where boot/efi/switch.S would be. */
asm(".globl door_switch, door_exit_boot_services, door_switch_end\n"
    "door_switch: door_exit_boot_services: door_switch_end: .byte 0\n");

extern const struct image_header hypervisor_image, image_header;
const struct image_header hypervisor_image, image_header;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);
void multiboot2_efi_main(u32 magic, const struct mbi_header *mbi) __noreturn;

static char steps[500];     /* what has been done, in words */
static const char *refused; /* the step that fails, with EFI_ABORTED */
static bool alone;          /* the guest is no EFI program */
static u64 switched;        /* what the image returns */
static EFI_STATUS exit_status;
static bool is_cut; /* ExitBootServices has been called */
static char said[600];
static jmp_buf ended;
static struct efi_handoff handoff;
static struct log_ring *last_words;

static EFI_STATUS step(const char *name)
{
	if (steps[0])
		strcat(steps, " ");
	strcat(steps, name);
	return refused && !strcmp(refused, name) ? EFI_ABORTED : 0;
}

static EFI_STATUS EFIAPI output(void *this, const CHAR16 *text)
{
	size_t n = strlen(said);

	(void)this;
	assert_false(is_cut);
	while (*text && n < sizeof(said) - 1)
		said[n++] = (char)*text++;
	said[n] = '\0';
	return 0;
}

static EFI_STATUS EFIAPI clear_screen(void *this)
{
	(void)this;
	assert_false(is_cut);
	return 0;
}

static EFI_STATUS EFIAPI read_key(void *this, EFI_INPUT_KEY *key)
{
	(void)this;
	(void)key;
	assert_false(is_cut);
	step("key");
	return 0;
}

static EFI_STATUS EFIAPI reset_keys(void *this, BOOLEAN extended)
{
	(void)this;
	(void)extended;
	return 0;
}

static EFI_STATUS EFIAPI exit_services(EFI_HANDLE image, UINTN key)
{
	(void)image;
	is_cut = true;
	step("exit");
	assert_int_equal(key, 7);
	return exit_status;
}

static EFI_STATUS EFIAPI crc(void *data, UINTN size, UINT32 *value)
{
	(void)data;
	(void)size;
	*value = 0;
	return 0;
}

static EFI_STATUS EFIAPI end_program(EFI_HANDLE image, EFI_STATUS status, UINTN size, CHAR16 *data)
{
	(void)image;
	(void)size;
	(void)data;
	step(status ? "error" : "end");
	longjmp(ended, 1);
}

static SIMPLE_TEXT_OUTPUT_INTERFACE out = {.OutputString = (void *)output,
					   .ClearScreen = (void *)clear_screen};
static SIMPLE_INPUT_INTERFACE in = {.Reset = (void *)reset_keys, .ReadKeyStroke = (void *)read_key};
static EFI_BOOT_SERVICES bs;
static EFI_SYSTEM_TABLE st = {.BootServices = &bs, .ConOut = &out, .ConIn = &in};
static const struct door plain = {.st = &st, .cmdline = "", .cmdline_from = "here"};

EFI_STATUS door_check_cpu(const struct door *door)
{
	(void)door;
	return step("cpu");
}

EFI_STATUS door_check_vmx(const struct door *door)
{
	(void)door;
	return step("vmx");
}

EFI_STATUS choose(const struct door *door, struct choice *choice)
{
	(void)door;
	choice->back = !alone;
	return step("choose");
}

EFI_STATUS choice_start(const struct door *door, struct choice *choice)
{
	(void)door;
	(void)choice;
	return step("guest");
}

void choice_drop(const struct door *door, struct choice *choice)
{
	(void)door;
	(void)choice;
	step("drop");
}

void door_describe_machine(const struct door *door, struct efi_handoff *h)
{
	(void)door;
	(void)h;
}

EFI_STATUS door_find_cpus(const struct door *door, struct efi_handoff *h)
{
	(void)door;
	(void)h;
	return step("cpus");
}

EFI_STATUS door_reserve_memory(const struct door *door, struct efi_handoff *h, u64 option_reserve,
			       u64 option_trace)
{
	(void)door;
	(void)option_reserve;
	(void)option_trace;
	h->image.base = (u64)&image_header;
	return step("reserve");
}

EFI_STATUS door_copy_code(const struct door *door, struct efi_handoff *h)
{
	(void)door;
	(void)h;
	return step("code");
}

void door_give_back_cpus(const struct door *door, const struct efi_handoff *h)
{
	(void)door;
	(void)h;
	step("-cpus");
}

void door_free_memory(const struct door *door, const struct efi_handoff *h)
{
	(void)door;
	(void)h;
	step("-memory");
}

EFI_STATUS door_bring_cpus(const struct door *door, struct efi_handoff *h)
{
	(void)door;
	(void)h;
	return step("bring");
}

bool door_wait_cpus(const struct door *door, struct efi_handoff *h, bool send_home)
{
	(void)door;
	(void)h;
	step(send_home ? "home" : "guests");
	return true;
}

u64 door_switch_cpu(struct efi_handoff *h, u32 entry, bool boot_cpu)
{
	(void)entry;
	(void)boot_cpu;
	step("switch");
	h->last_words = (u64)last_words;
	if (!h->boot_services)
		longjmp(ended, 1);
	return switched;
}

void *door_pages(const struct door *door, EFI_MEMORY_TYPE type, u64 limit, u64 size)
{
	(void)door;
	(void)type;
	(void)limit;
	(void)size;
	return step("handoff") ? NULL : &handoff;
}

void door_free_pages(const struct door *door, u64 at, u64 size)
{
	(void)door;
	(void)size;
	if (at)
		step("-handoff");
}

EFI_STATUS door_read_map(const struct door *door, struct door_map *map)
{
	(void)door;
	map->key = 7;
	return step("map");
}

int door_option(const char *cmdline, const char *name, char *value, size_t size)
{
	(void)cmdline;
	(void)name;
	(void)value;
	(void)size;
	return -1;
}

EFI_STATUS door_options(struct door *door, char *cmdline)
{
	cmdline[0] = '\0';
	door->cmdline = cmdline;
	door->cmdline_from = "glasshouse.conf";
	return step("options");
}

static int start(void **state)
{
	(void)state;
	bs = (EFI_BOOT_SERVICES){.ExitBootServices = exit_services,
				 .CalculateCrc32 = (void *)crc,
				 .Exit = (void *)end_program};
	steps[0] = said[0] = '\0';
	refused = NULL;
	alone = is_cut = false;
	switched = 0;
	exit_status = 0;
	last_words = NULL;
	memset(&handoff, 0xff, sizeof(handoff));
	return 0;
}

static void test_in_place(void **state)
{
	(void)state;
	assert_int_equal(door_run(&plain), 0);
	assert_string_equal(steps,
			    "handoff cpu choose vmx cpus reserve code bring switch guests guest "
			    "-handoff");
	assert_string_equal(said, "");
	assert_ptr_not_equal(bs.ExitBootServices, exit_services);
}

/* Each step may fail. A CPU that cannot be used is refused before anything is reserved. */
static void test_refusals(void **state)
{
	static const struct {
		const char *step, *steps;
	} cases[] = {
		{"handoff", "handoff cpu key"},
		{"cpu", "handoff cpu -handoff key"},
		{"choose", "handoff cpu choose -handoff key"},
		{"vmx", "handoff cpu choose vmx drop -cpus -memory -handoff key"},
		{"cpus", "handoff cpu choose vmx cpus drop -cpus -memory -handoff key"},
		{"reserve", "handoff cpu choose vmx cpus reserve drop -cpus -memory -handoff key"},
		{"code",
		 "handoff cpu choose vmx cpus reserve code drop -cpus -memory -handoff key"},
		{"bring", "handoff cpu choose vmx cpus reserve code bring drop -cpus -memory "
			  "-handoff key"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(state);
		refused = cases[i].step;
		assert_true(door_run(&plain));
		assert_string_equal(steps, cases[i].steps);
		assert_non_null(strstr(said, "Glasshouse was not started. Press a key."));
	}
}

/* The image refuses: the end of its log is printed, from the start of a line on. */
static void test_image_refuses(void **state)
{
	static struct {
		struct log_ring ring;
		char more[2000];
	} log;

	(void)state;
	log.ring.size = sizeof(log.more);
	log.ring.written = 1600;
	memset(log.ring.text, 'x', 1600);
	memcpy(log.ring.text + 1580, "\nfor this reason\n", 17);
	log.ring.written = 1597;
	last_words = &log.ring;
	switched = SWITCH_REFUSED;
	assert_int_equal(door_run(&plain), EFI_UNSUPPORTED);
	assert_string_equal(steps,
			    "handoff cpu choose vmx cpus reserve code bring switch home drop "
			    "-cpus -memory -handoff key");
	assert_non_null(strstr(said, "The end of its log:\r\nfor this reason\r\n"));
	assert_ptr_equal(bs.ExitBootServices, exit_services);
}

/* It may refuse before it has a log. */
static void test_no_last_words(void **state)
{
	(void)state;
	switched = SWITCH_NO_XD;
	assert_int_equal(door_run(&plain), EFI_UNSUPPORTED);
	assert_non_null(strstr(said, "was not reached (reason 1)"));
}

static void test_alone(void **state)
{
	(void)state;
	alone = true;
	if (!setjmp(ended))
		door_run(&plain);
	assert_string_equal(steps, "handoff cpu choose cpus reserve code map exit switch");
	assert_int_equal(handoff.exit_status, 0);
}

/* After a call of ExitBootServices, failed or not, there is no console and no timer: only the image
 * can print that it failed. */
static void test_no_exit(void **state)
{
	(void)state;
	alone = true;
	exit_status = EFI_INVALID_PARAMETER;
	if (!setjmp(ended))
		door_run(&plain);
	assert_string_equal(steps, "handoff cpu choose cpus reserve code map exit map exit map "
				   "exit switch");
	assert_int_equal(handoff.exit_status, EFI_INVALID_PARAMETER);
}

/* Before it, all can be given back. */
static void test_no_map(void **state)
{
	(void)state;
	alone = true;
	refused = "map";
	assert_int_equal(door_run(&plain), EFI_ABORTED);
	assert_string_equal(steps, "handoff cpu choose cpus reserve code map map map drop -cpus "
				   "-memory -handoff key");
	assert_non_null(strstr(said, "gives no memory map (GetMemoryMap: 8000000000000015)"));
}

/* glasshouse.efi: wrong options end like all refusals. */
static void test_firmware(void **state)
{
	(void)state;
	refused = "options";
	assert_int_equal(efi_main(NULL, &st), EFI_ABORTED);
	assert_string_equal(steps, "options key");
	start(state);
	assert_int_equal(efi_main(NULL, &st), 0);
	assert_int_equal(strncmp(steps, "options handoff cpu", 19), 0);
}

struct grub_info {
	struct mbi_header header;
	u8 bytes[8000];
};

/* Append a tag whose data is @size bytes. */
static void *tag(struct grub_info *info, u32 type, size_t size)
{
	struct tag *tag = (void *)((u8 *)info + info->header.total_size);

	tag->type = type;
	tag->size = (u32)(sizeof(*tag) + size);
	info->header.total_size += (u32)ALIGN_UP(tag->size, 8);
	return tag->data;
}

/* What GRUB hands over: @length characters as the command line, and @modules modules. */
static void start_by_grub(size_t length, unsigned modules)
{
	static const void *const table = &st;
	static struct grub_info info;

	memset(&info, 0, sizeof(info));
	info.header.total_size = sizeof(info.header);
	memcpy(tag(&info, TAG_EFI64_SYSTEM_TABLE, sizeof(table)), &table, sizeof(table));
	memcpy(tag(&info, TAG_EFI64_IMAGE_HANDLE, sizeof(table)), &table, sizeof(table));
	memset(tag(&info, TAG_CMDLINE, length + 1), 'x', length);
	while (modules--)
		tag(&info, TAG_MODULE, sizeof(struct tag_module) - sizeof(struct tag) + 4);
	tag(&info, TAG_END, 0);
	if (!setjmp(ended))
		multiboot2_efi_main(MULTIBOOT2_BOOTLOADER_MAGIC, &info.header);
}

static void test_grub(void **state)
{
	(void)state;
	start_by_grub(4096, DOOR_MODULES);
	assert_non_null(strstr(steps, "guest -handoff end"));
}

static void test_grub_refusals(void **state)
{
	start_by_grub(4097, 0);
	assert_string_equal(steps, "key error");
	assert_non_null(strstr(said, "command line is longer than 4096 characters"));
	start(state);
	start_by_grub(0, DOOR_MODULES + 1);
	assert_string_equal(steps, "key error");
	assert_non_null(strstr(said, "more than"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_in_place, start),
		cmocka_unit_test_setup(test_refusals, start),
		cmocka_unit_test_setup(test_image_refuses, start),
		cmocka_unit_test_setup(test_no_last_words, start),
		cmocka_unit_test_setup(test_alone, start),
		cmocka_unit_test_setup(test_no_exit, start),
		cmocka_unit_test_setup(test_no_map, start),
		cmocka_unit_test_setup(test_firmware, start),
		cmocka_unit_test_setup(test_grub, start),
		cmocka_unit_test_setup(test_grub_refusals, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
