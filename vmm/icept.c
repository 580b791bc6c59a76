/* SPDX-License-Identifier: MIT */
/*
 * Interceptions on demand. See icept.h. The VM holds what is wanted; each vCPU loads it before its
 * next entry, by REQ_INTERCEPTS.
 */
#include "vmm/icept.h"
#include "errno.h"
#include "vmm/registers.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

bool icept_is_possible(enum icept what)
{
	return virt->can_intercept(what);
}

bool icept_is_on(const struct vm *vm, enum icept what)
{
	return vm->icepts.on & BIT(what);
}

/* Those in the guest exit by the kick; one that waits for a SIPI as a guest loads it afterwards. */
static void apply(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vcpu_make_request(vm->vcpus[i], REQ_INTERCEPTS);
}

void icept_set(struct vm *vm, enum icept what, bool on)
{
	if (on)
		__atomic_or_fetch(&vm->icepts.on, (u32)BIT(what), __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(&vm->icepts.on, ~(u32)BIT(what), __ATOMIC_RELEASE);
	apply(vm);
}

void icept_exceptions(struct vm *vm, u32 vectors, u32 mask, u32 match)
{
	vm->icepts.exceptions = vectors;
	vm->icepts.pf_mask = mask;
	vm->icepts.pf_match = match;
	apply(vm);
}

static const struct icept_msr *find_msr(const struct vm *vm, u32 msr)
{
	for (unsigned i = 0; i < ICEPT_MSRS; i++) {
		const struct icept_msr *m = &vm->icepts.msrs[i];

		if (m->msr == msr && (m->read || m->write || m->answers))
			return m;
	}
	return NULL;
}

/* The interception of @msr, or an empty one for it; NULL: no more room. Its fields change in an
 * order in which a vCPU that reads it meanwhile finds the old or the new one. */
static struct icept_msr *room_for_msr(struct vm *vm, u32 msr)
{
	struct icept_msr *m = (struct icept_msr *)find_msr(vm, msr);

	for (unsigned i = 0; !m && i < ICEPT_MSRS; i++)
		if (!vm->icepts.msrs[i].read && !vm->icepts.msrs[i].write &&
		    !vm->icepts.msrs[i].answers)
			m = &vm->icepts.msrs[i];
	if (m)
		__atomic_store_n(&m->msr, msr, __ATOMIC_RELEASE);
	vm->icepts.any_msr = true;
	return m;
}

static bool has_bit(u32 msr)
{
	return msr <= 0x1fff || (msr >= 0xc0000000 && msr <= 0xc0001fff);
}

int icept_msr(struct vm *vm, u32 msr, bool read, bool write)
{
	struct icept_msr *m = has_bit(msr) ? room_for_msr(vm, msr) : NULL;

	if (!has_bit(msr))
		return -EINVAL;
	if (!m)
		return -ENOSPC;
	m->read = read;
	m->write = write;
	apply(vm);
	return 0;
}

int icept_answer(struct vm *vm, u32 msr, bool on, u64 value)
{
	struct icept_msr *m = has_bit(msr) ? room_for_msr(vm, msr) : NULL;

	if (!has_bit(msr))
		return -EINVAL;
	if (!m)
		return -ENOSPC;
	__atomic_store_n(&m->value, value, __ATOMIC_RELEASE);
	__atomic_store_n(&m->answers, on, __ATOMIC_RELEASE);
	apply(vm);
	return 0;
}

bool icept_give_answer(struct vcpu *vcpu, u32 msr, const enum vcpu_reg *into)
{
	const struct icept_msr *m = find_msr(vcpu->vm, msr);

	if (!m || !m->answers)
		return false;
	if (into) {
		set_general_register(vcpu, *into, m->value);
	} else {
		vcpu->regs[VCPU_RAX] = (u32)m->value;
		vcpu->regs[VCPU_RDX] = m->value >> 32;
	}
	return true;
}

int icept_port(struct vm *vm, u16 port, bool on)
{
	struct icepts *icepts = &vm->icepts;
	unsigned at = 0;

	while (at < icepts->nr_ports && icepts->ports[at] != port)
		at++;
	if (on && at == ICEPT_PORTS)
		return -ENOSPC;
	if (on && at == icepts->nr_ports) {
		icepts->ports[at] = port;
		__atomic_store_n(&icepts->nr_ports, at + 1, __ATOMIC_RELEASE);
	} else if (!on && at < icepts->nr_ports) {
		icepts->ports[at] = icepts->ports[icepts->nr_ports - 1];
		__atomic_store_n(&icepts->nr_ports, icepts->nr_ports - 1, __ATOMIC_RELEASE);
	}
	apply(vm);
	return 0;
}
