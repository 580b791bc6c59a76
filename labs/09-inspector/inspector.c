/* SPDX-License-Identifier: MIT */
/*
 * The inspector of lab 9. See inspector.h.
 */
#include "labs/09-inspector/inspector.h"
#include "errno.h"
#include "vmm/memslot.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

#define GATE_SIZE 16
#define CALL_SIZE 8

u64 gate_handler(const u64 gate[2])
{
	return (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000) | gate[1] << 32;
}

int find_gate(struct vcpu *vcpu, unsigned vector, gpa_t *gpa)
{
	struct segment idtr;

	virt->get_segment(vcpu, SEG_IDTR, &idtr);
	if (GATE_SIZE * vector + GATE_SIZE - 1 > idtr.limit)
		return -EFAULT;
	return guest_physical(vcpu, idtr.base + GATE_SIZE * vector, gpa);
}

bool gate_changed(struct inspector *inspector, const u64 now[2])
{
	bool is_bad = now[0] != inspector->good[0] || (u32)now[1] != (u32)inspector->good[1];
	bool alarm = is_bad && !inspector->alarmed;

	inspector->alarmed = is_bad;
	return alarm;
}

bool idtr_changed(struct inspector *inspector, struct vcpu *vcpu)
{
	u64 now[2] = {0};
	gpa_t gpa;

	if (!find_gate(vcpu, inspector->vector, &gpa)) {
		inspector->gate = gpa;
		read_guest(vcpu->vm, gpa, now, sizeof(now));
	}
	return gate_changed(inspector, now);
}

int find_call(struct vcpu *vcpu, gva_t table, unsigned number, gpa_t *gpa)
{
	return guest_physical(vcpu, table + CALL_SIZE * number, gpa);
}

bool call_changed(struct call_inspector *inspector, u64 now)
{
	bool differs = now != inspector->good, is_new = differs && !inspector->alarmed;

	inspector->alarmed = differs;
	return is_new;
}
