/* SPDX-License-Identifier: MIT */
/*
 * How a VM gets shadow page tables: as a room (vmm/room.h), with the memory for them.
 */
#include "lib/log.h"
#include "lib/string.h"
#include "shadow/shadow.h"
#include "vmm/real_mode.h"
#include "vmm/room.h"

static const struct shadow_ops ops = {
	.load = shadow_load,
	.new_cr3 = shadow_new_cr3,
	.invalidate = shadow_invalidate,
	.read = shadow_read,
	.written = shadow_written,
	.each_entry = shadow_each_entry,
	.drop = shadow_drop,
	.emulate_real_mode = emulate_real_mode,
	.deliver_real_mode = deliver_real_mode,
};

static void *take(const struct room_setup *setup, u64 *used, u64 size)
{
	void *memory = (u8 *)setup->pool + *used;

	*used += ALIGN_UP(size, PAGE_SIZE);
	if (*used > setup->pool_size)
		return NULL;
	return memset(memory, 0, size);
}

/* The number of frames up to the end of the guest's memory, where its tables can be. */
static u64 frames(const struct vm *vm)
{
	u64 end = 0;

	for (unsigned i = 0; i < vm->slots.nr; i++)
		end = MAX(end, vm->slots.slot[i].base_gfn + vm->slots.slot[i].npages);
	return end;
}

static bool start(const struct room_setup *setup)
{
	struct vm *vm = setup->vm;
	u64 used = 0, nr_frames;
	struct shadow *shadow = take(setup, &used, sizeof(*shadow));
	bool ok = shadow;

	for (unsigned i = 0; ok && i < vm->nr_vcpus; i++) {
		vm->vcpus[i]->shadow = take(setup, &used, sizeof(struct shadow_vcpu));
		vm->vcpus[i]->requests |= REQ_SHADOW;
		ok = vm->vcpus[i]->shadow;
	}
	nr_frames = frames(vm);
	/* A huge memory would need too much of the pool. */
	if (ok && shadow_shield_size(nr_frames) < setup->pool_size / 8)
		shadow_shield_init(shadow, take(setup, &used, shadow_shield_size(nr_frames)),
				   nr_frames);
	if (!ok || !shadow_pool_init(shadow, (u8 *)setup->pool + used, setup->pool_size - used)) {
		pr_err("There is not enough memory for shadow page tables. Give more with the "
		       "option shadow=.\n");
		return false;
	}
	shadow->vm = vm;
	vm->shadow = shadow;
	vm->shadow_ops = &ops;
	pr_info("Shadow page tables: room for %u, in %lu KiB.\n", shadow->nr,
		setup->pool_size >> 10);
	return true;
}

ROOM(.name = "shadow", .start = start);
