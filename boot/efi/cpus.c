/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: the firmware's MP services bring them to the image in the state in which the
 * firmware keeps them, and they continue in that state as guests. So whatever the firmware does
 * with them later (its own calls, the loop in which it leaves them for the operating system), it
 * does as the guest. Platform Initialization Specification: "MP Services Protocol".
 */
#include "boot/efi/door.h"
#include "boot/efi_switch.h"
#include "arch/x86/cpu.h"

#define CPU_ENABLED 2 /* in processor_info.flags */
#define CPU_HEALTHY 4

#define CPUS_UNKNOWN   64 /* memory is reserved for so many, when the firmware has no MP services */
#define START_TRIES    3
#define START_RETRY_US 100000
#define RETURN_MS      10000

/* SDM: "Code- and Data-Segment Types", "System Descriptor Types". */
#define AR_ACCESSED 1
#define AR_BUSY     2
#define TSS64       9
#define INDEX_LDTR  6
#define INDEX_TR    7

struct processor_info {
	UINT64 id; /* APIC ID */
	UINT32 flags;
	UINT32 location[3];
	UINT32 extended[6];
};

typedef VOID(EFIAPI *ap_procedure)(VOID *argument);

struct mp_services {
	EFI_STATUS(EFIAPI *get_number)(struct mp_services *this, UINTN *all, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_info)
	(struct mp_services *this, UINTN number, struct processor_info *info);
	EFI_STATUS(EFIAPI *startup_all)
	(struct mp_services *this, ap_procedure procedure, BOOLEAN single_thread, EFI_EVENT event,
	 UINTN timeout_us, VOID *argument, UINTN **failed);
	EFI_STATUS(EFIAPI *startup_this)
	(struct mp_services *this, ap_procedure procedure, UINTN number, EFI_EVENT event,
	 UINTN timeout_us, VOID *argument, BOOLEAN *finished);
	EFI_STATUS(EFIAPI *switch_bsp)(struct mp_services *this, UINTN number, BOOLEAN enable_old);
	EFI_STATUS(EFIAPI *enable)
	(struct mp_services *this, UINTN number, BOOLEAN enable, UINT32 *health);
	EFI_STATUS(EFIAPI *who_am_i)(struct mp_services *this, UINTN *number);
};

static struct mp_services *find_services(const struct door *door)
{
	static const EFI_GUID guid = {
		0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};
	struct mp_services *mp = NULL;

	return door->st->BootServices->LocateProtocol((EFI_GUID *)&guid, NULL, (void **)&mp) ? NULL
											     : mp;
}

/* At the end of its boot services, firmware also wakes the CPUs that it has disabled: they must be
 * guests, too. */
static bool enable_cpu(struct mp_services *mp, struct efi_handoff *h, UINTN number)
{
	if (mp->enable(mp, number, TRUE, NULL))
		return false;
	h->enabled[h->nr_enabled++] = (u32)number;
	return true;
}

EFI_STATUS door_find_cpus(const struct door *door, struct efi_handoff *h)
{
	struct mp_services *mp = find_services(door);
	struct processor_info info;
	UINTN all, enabled, self;
	EFI_STATUS status;

	h->max_cpus = CPUS_UNKNOWN;
	if (!mp || mp->get_number(mp, &all, &enabled) || mp->who_am_i(mp, &self))
		return 0;
	h->max_cpus = (u32)all;
	h->has_mp_services = true;
	for (UINTN i = 0; i < all; i++) {
		if (i == self)
			continue;
		status = mp->get_info(mp, i, &info);
		if (status) {
			door_print(door,
				   "The firmware does not describe CPU %lu (GetProcessorInfo: "
				   "%lx), so Glasshouse cannot have it. "
				   "Switch it off in the firmware's setup.\n",
				   i, status);
			return status;
		}
		if (h->nr_others == HANDOFF_CPUS - 1) {
			door_print(door,
				   "The machine has more than %u CPUs, "
				   "the most that Glasshouse can run.\n",
				   HANDOFF_CPUS);
			return EFI_UNSUPPORTED;
		}
		if (!(info.flags & (CPU_ENABLED | CPU_HEALTHY))) {
			door_print(door,
				   "The firmware has disabled CPU %lu (APIC ID %lu), because it "
				   "has failed its self-test. Glasshouse does not start it, and "
				   "cannot leave it to the firmware. "
				   "Switch it off in the firmware's setup.\n",
				   i, info.id);
			return EFI_UNSUPPORTED;
		}
		if (!(info.flags & CPU_ENABLED) && !enable_cpu(mp, h, i)) {
			door_print(door,
				   "The firmware has disabled CPU %lu (APIC ID %lu), "
				   "and does not let Glasshouse have it. "
				   "Switch it on in the firmware's setup.\n",
				   i, info.id);
			return EFI_UNSUPPORTED;
		}
		h->apic_ids[h->nr_others++] = (u32)info.id;
	}
	return 0;
}

void door_give_back_cpus(const struct door *door, const struct efi_handoff *h)
{
	struct mp_services *mp = find_services(door);

	for (u32 i = 0; mp && i < h->nr_enabled; i++)
		mp->enable(mp, h->enabled[i], FALSE, NULL);
}

/*
 * Is what LAR returned for the segment register @index not what is in it? EDK2 loads TR in an early
 * phase, and later another GDT, where the selector is that of something else. The segment is lost.
 */
static bool is_other_kind(unsigned index, u32 lar)
{
	bool is_system = !(lar & BIT(12));

	if (index == INDEX_TR)
		return !is_system || (lar >> 8 & (0xf & ~AR_BUSY)) != TSS64;
	return is_system != (index == INDEX_LDTR);
}

/* The segment of @selector, by LAR and LSL; the base, which only a TSS or an LDT has in 64-bit
 * mode, from the GDT. */
static void read_segment(struct firmware_state *state, unsigned index, u16 selector, const u8 *gdt)
{
	u32 ar = 0, limit = 0;
	bool usable;

	asm("lar %3, %0\n\tsetz %2\n\tlsl %3, %1"
	    : "+&r"(ar), "+&r"(limit), "=&q"(usable)
	    : "r"((u32)selector)
	    : "cc");
	if (!usable || !(selector & ~3u) || is_other_kind(index, ar)) {
		state->selectors[index] = index < INDEX_LDTR ? selector : 0;
		return;
	}
	state->selectors[index] = selector;
	/* A CPU has marked them in use, whatever the table says now. */
	state->segments[index].ar = (ar >> 8 & 0xf0ff) | (ar & BIT(12) ? AR_ACCESSED : 0) |
				    (index == INDEX_TR ? AR_BUSY : 0);
	state->segments[index].limit = limit;
	if (ar & BIT(12)) /* code or data */
		return;
	gdt += selector & ~7u;
	state->segments[index].base =
		gdt[2] | (u64)gdt[3] << 8 | (u64)gdt[4] << 16 | (u64)gdt[7] << 24;
	for (unsigned i = 0; i < 4; i++)
		state->segments[index].base |= (u64)gdt[8 + i] << (32 + 8 * i);
}

u64 door_switch_cpu(struct efi_handoff *h, u32 entry, bool boot_cpu)
{
	u32 index = boot_cpu ? 0 : __atomic_fetch_add(&h->nr_states, 1, __ATOMIC_ACQ_REL);
	struct firmware_state *state = &h->states[index];
	u16 s[8];
	struct {
		u16 limit;
		u64 base;
	} __packed gdtr;

	asm("sgdt %0" : "=m"(gdtr));
	asm("mov %%es, %0" : "=r"(s[0]));
	asm("mov %%cs, %0" : "=r"(s[1]));
	asm("mov %%ss, %0" : "=r"(s[2]));
	asm("mov %%ds, %0" : "=r"(s[3]));
	asm("mov %%fs, %0" : "=r"(s[4]));
	asm("mov %%gs, %0" : "=r"(s[5]));
	asm("sldt %0" : "=r"(s[6]));
	asm("str %0" : "=r"(s[7]));
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
		read_segment(state, i, s[i], (const u8 *)gdtr.base);
	return ((door_switch_fn *)h->switch_page)(state, h->image.base, entry, (u64)h);
}

/* On each other CPU. */
static VOID EFIAPI other_cpu(VOID *argument)
{
	struct efi_handoff *h = argument;
	const struct image_header *image = (const void *)h->image.base;
	u64 result;
	u32 what;

	while ((what = __atomic_load_n(&h->others, __ATOMIC_ACQUIRE)) == OTHERS_WAIT)
		__builtin_ia32_pause();
	while (what == OTHERS_COME && __atomic_exchange_n(&h->lock, 1, __ATOMIC_ACQ_REL)) {
		__builtin_ia32_pause();
		what = __atomic_load_n(&h->others, __ATOMIC_ACQUIRE);
	}
	if (what != OTHERS_COME)
		return;
	result = door_switch_cpu(h, image->other_cpu, false);
	/* In other cases the image has released it. */
	if (result == SWITCH_NO_XD || result == SWITCH_UNKNOWN)
		__atomic_store_n(&h->lock, 0, __ATOMIC_RELEASE);
}

EFI_STATUS door_bring_cpus(const struct door *door, struct efi_handoff *h)
{
	EFI_BOOT_SERVICES *bs = door->st->BootServices;
	struct mp_services *mp = find_services(door);
	EFI_STATUS status;

	if (!h->nr_others)
		return 0;
	/* With an event, the call returns at once: it does not wait for the CPUs to return. */
	status = bs->CreateEvent(0, 0, NULL, NULL, (EFI_EVENT *)&h->others_event);
	if (status) {
		door_print(door,
			   "The firmware makes no event for the other CPUs (CreateEvent: %lx). "
			   "Look for a newer firmware.\n",
			   status);
		return status;
	}
	/* A driver may use a CPU just now. */
	for (unsigned tries = 0; tries < START_TRIES; tries++) {
		status = mp->startup_all(mp, other_cpu, FALSE, (EFI_EVENT)h->others_event, 0, h,
					 NULL);
		if (status != EFI_NOT_READY)
			break;
		bs->Stall(START_RETRY_US);
	}
	if (!status)
		return 0;
	bs->CloseEvent((EFI_EVENT)h->others_event);
	door_print(door, "The firmware does not start the other CPUs (StartupAllAPs: %lx)%s\n",
		   status,
		   status == EFI_UNSUPPORTED
			   ? ": it does not start them without waiting for their return, "
			     "at least not once it starts a boot entry (ReadyToBoot). "
			     "Use one CPU, by the firmware's setup, or a newer firmware."
			   : ".");
	return status;
}

bool door_wait_cpus(const struct door *door, struct efi_handoff *h, bool send_home)
{
	EFI_BOOT_SERVICES *bs = door->st->BootServices;
	EFI_EVENT event = (EFI_EVENT)h->others_event;

	if (!h->nr_others)
		return true;
	if (send_home)
		__atomic_store_n(&h->others, OTHERS_LEAVE, __ATOMIC_RELEASE);
	for (unsigned ms = 0; ms < RETURN_MS; ms++) {
		if (!bs->CheckEvent(event)) {
			bs->CloseEvent(event);
			return true;
		}
		bs->Stall(1000);
	}
	door_print(door, "Not all CPUs have returned to the firmware within %u seconds.\n",
		   RETURN_MS / 1000);
	return false;
}
