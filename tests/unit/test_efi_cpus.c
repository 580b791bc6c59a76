/* SPDX-License-Identifier: MIT */
/*
 * Which of the other CPUs the UEFI front door takes, and gives back, by the firmware's MP services.
 */
#include "tests/unit/said.h"

#define CPUS    4
#define SELF    1
#define ENABLED 2
#define HEALTHY 4

/* The firmware's CPUs: their flags; which it does not describe, and does not enable (-1: none). */
static UINT32 flags[CPUS];
static int unknown, locked;

static EFI_STATUS starts[3], no_event; /* what StartupAllAPs and CreateEvent return */
static unsigned nr_starts, events;

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
	flags[number] = on ? flags[number] | ENABLED : flags[number] & ~(UINT32)ENABLED;
	return 0;
}

static EFI_STATUS EFIAPI who_am_i(void *this, UINTN *number)
{
	(void)this;
	*number = SELF;
	return 0;
}

static EFI_STATUS EFIAPI startup_all(void *this, void *procedure, BOOLEAN single_thread,
				     EFI_EVENT event, UINTN timeout_us, void *argument,
				     UINTN **failed)
{
	(void)this;
	(void)procedure;
	(void)single_thread;
	(void)timeout_us;
	(void)failed;
	assert_ptr_equal(event, &h.others_event);
	assert_ptr_equal(argument, &h);
	return starts[MIN(nr_starts++, ARRAY_SIZE(starts) - 1)];
}

/* EFI_MP_SERVICES_PROTOCOL, as the PI Specification orders it. */
static const void *services[] = {get_number, get_info, startup_all, NULL, NULL, enable, who_am_i};

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, void *registration, void **interface)
{
	(void)guid;
	(void)registration;
	*interface = services;
	return 0;
}

static EFI_STATUS EFIAPI create_event(UINT32 type, EFI_TPL tpl, void *notify, void *context,
				      EFI_EVENT *event)
{
	(void)type;
	(void)tpl;
	(void)notify;
	(void)context;
	*event = &h.others_event;
	events += !no_event;
	return no_event;
}

static EFI_STATUS EFIAPI close_event(EFI_EVENT event)
{
	(void)event;
	events--;
	return 0;
}

static EFI_STATUS EFIAPI stall(UINTN us)
{
	(void)us;
	return 0;
}

static EFI_BOOT_SERVICES bs = {.LocateProtocol = locate,
			       .CreateEvent = (void *)create_event,
			       .CloseEvent = close_event,
			       .Stall = stall};
static EFI_SYSTEM_TABLE st = {.BootServices = &bs};
static const struct door door = {.st = &st};

static int start(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	for (unsigned i = 0; i < CPUS; i++)
		flags[i] = ENABLED | HEALTHY;
	unknown = locked = -1;
	memset(starts, 0, sizeof(starts));
	nr_starts = events = 0;
	no_event = 0;
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
		assert_int_equal(flags[i], ENABLED | HEALTHY);
}

/* A CPU that the firmware has disabled is enabled, and disabled again if Glasshouse is refused. */
static void test_disabled(void **state)
{
	(void)state;
	flags[2] = HEALTHY;
	assert_int_equal(door_find_cpus(&door, &h), 0);
	assert_int_equal(h.nr_others, CPUS - 1);
	assert_int_equal(flags[2], ENABLED | HEALTHY);
	door_give_back_cpus(&door, &h);
	assert_int_equal(flags[2], HEALTHY);
	assert_int_equal(flags[3], ENABLED | HEALTHY);
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
	flags[0] = flags[2] = HEALTHY;
	locked = 2;
	assert_int_equal(door_find_cpus(&door, &h), EFI_UNSUPPORTED);
	assert_non_null(strstr(said, "has disabled CPU 2 (APIC ID 12)"));
	assert_int_equal(flags[0], ENABLED | HEALTHY);
	door_give_back_cpus(&door, &h);
	assert_int_equal(flags[0], HEALTHY);
	/* One that has failed its self-test is not enabled. */
	h.nr_others = h.nr_enabled = 0;
	flags[0] = 0;
	assert_int_equal(door_find_cpus(&door, &h), EFI_UNSUPPORTED);
	assert_non_null(strstr(said, "has disabled CPU 0 (APIC ID 10), because it has failed"));
	assert_int_equal(flags[0], 0);
}

/* A CPU that a driver uses just now is waited for. */
static void test_bring(void **state)
{
	(void)state;
	assert_int_equal(door_bring_cpus(&door, &h), 0);
	assert_int_equal(nr_starts, 0);
	h.nr_others = 1;
	starts[0] = starts[1] = EFI_NOT_READY;
	assert_int_equal(door_bring_cpus(&door, &h), 0);
	assert_int_equal(nr_starts, 3);
	assert_int_equal(events, 1);
	assert_string_equal(said, "");
}

/* Firmware that does not bring the CPUs is named, and nothing is left behind. */
static void test_does_not_bring(void **state)
{
	static const struct {
		EFI_STATUS status;
		const char *said;
	} cases[] = {
		{EFI_NOT_READY, "(StartupAllAPs: 8000000000000006).\n"},
		{EFI_UNSUPPORTED,
		 "(StartupAllAPs: 8000000000000003): it does not start them without "
		 "waiting for their return"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(state);
		h.nr_others = 1;
		for (unsigned n = 0; n < ARRAY_SIZE(starts); n++)
			starts[n] = cases[i].status;
		assert_int_equal(door_bring_cpus(&door, &h), cases[i].status);
		assert_non_null(strstr(said, cases[i].said));
		assert_int_equal(events, 0);
	}
	start(state);
	h.nr_others = 1;
	no_event = EFI_OUT_OF_RESOURCES;
	assert_int_equal(door_bring_cpus(&door, &h), EFI_OUT_OF_RESOURCES);
	assert_non_null(strstr(said, "(CreateEvent: 8000000000000009)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all, start),
		cmocka_unit_test_setup(test_disabled, start),
		cmocka_unit_test_setup(test_refused, start),
		cmocka_unit_test_setup(test_bring, start),
		cmocka_unit_test_setup(test_does_not_bring, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
