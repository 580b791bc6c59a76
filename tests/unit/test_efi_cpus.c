/* SPDX-License-Identifier: MIT */
/*
 * Which of the other CPUs the UEFI front door takes, and gives back, by the firmware's MP services.
 */
#include "tests/unit/said.h"

#define CPUS    4
#define SELF    1
#define ENABLED 2

/* The firmware's CPUs: their flags; which it does not describe, and does not enable (-1: none). */
static UINT32 flags[CPUS];
static int unknown, locked;

static struct efi_handoff h;

static EFI_STATUS EFIAPI get_number(void *this, UINTN *all, UINTN *enabled)
{
	(void)this;
	*all = CPUS;
	*enabled = CPUS;
	return 0;
}

static EFI_STATUS EFIAPI get_info(void *this, UINTN number, void *info)
{
	(void)this;
	if ((int)number == unknown)
		return EFI_DEVICE_ERROR;
	memcpy(info, &(UINT64){10 + number}, 8);
	memcpy((u8 *)info + 8, &flags[number], 4);
	return 0;
}

static EFI_STATUS EFIAPI enable(void *this, UINTN number, BOOLEAN on, UINT32 *health)
{
	(void)this;
	(void)health;
	if ((int)number == locked)
		return EFI_UNSUPPORTED;
	flags[number] = on ? ENABLED : 0;
	return 0;
}

static EFI_STATUS EFIAPI who_am_i(void *this, UINTN *number)
{
	(void)this;
	*number = SELF;
	return 0;
}

/* EFI_MP_SERVICES_PROTOCOL, as the PI Specification orders it. */
static const void *services[] = {get_number, get_info, NULL, NULL, NULL, enable, who_am_i};

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, void *registration, void **interface)
{
	(void)guid;
	(void)registration;
	*interface = services;
	return 0;
}

static EFI_BOOT_SERVICES bs = {.LocateProtocol = locate};
static EFI_SYSTEM_TABLE st = {.BootServices = &bs};
static const struct door door = {.st = &st};

static int start(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	for (unsigned i = 0; i < CPUS; i++)
		flags[i] = ENABLED;
	unknown = locked = -1;
	said[0] = '\0';
	return 0;
}

static void test_all(void **state)
{
	(void)state;
	assert_int_equal(door_find_cpus(&door, &h), 0);
	assert_int_equal(h.max_cpus, CPUS);
	assert_int_equal(h.nr_others, CPUS - 1);
	assert_memory_equal(h.apic_ids, ((u32[]){10, 12, 13}), 12);
	door_give_back_cpus(&door, &h);
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(flags[i], ENABLED);
}

/* A CPU that the firmware has disabled is enabled, and disabled again if Glasshouse is refused. */
static void test_disabled(void **state)
{
	(void)state;
	flags[2] = 0;
	assert_int_equal(door_find_cpus(&door, &h), 0);
	assert_int_equal(h.nr_others, CPUS - 1);
	assert_int_equal(flags[2], ENABLED);
	door_give_back_cpus(&door, &h);
	assert_int_equal(flags[2], 0);
	assert_int_equal(flags[3], ENABLED);
}

/* No CPU is left out without a word. */
static void test_refused(void **state)
{
	(void)state;
	unknown = 3;
	assert_int_equal(door_find_cpus(&door, &h), EFI_DEVICE_ERROR);
	assert_non_null(
		strstr(said, "does not describe CPU 3 (GetProcessorInfo: 8000000000000007)"));
	unknown = -1;
	h.nr_others = 0;
	flags[0] = flags[2] = 0;
	locked = 2;
	assert_int_equal(door_find_cpus(&door, &h), EFI_UNSUPPORTED);
	assert_non_null(strstr(said, "has disabled CPU 2 (APIC ID 12)"));
	assert_int_equal(flags[0], ENABLED);
	door_give_back_cpus(&door, &h);
	assert_int_equal(flags[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all, start),
		cmocka_unit_test_setup(test_disabled, start),
		cmocka_unit_test_setup(test_refused, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
