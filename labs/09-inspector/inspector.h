/* SPDX-License-Identifier: MIT */
/*
 * The inspector of lab 9: it looks at one gate of the guest's IDT, and at one entry of its
 * system-call table, and tells when one is not what it was. The guest's kernel does not know of it.
 * The check calls these functions, on the vCPU's CPU, in root mode.
 */
#ifndef GH_LABS_09_INSPECTOR_H
#define GH_LABS_09_INSPECTOR_H

#include "vmm/vcpu.h"

struct inspector {
	unsigned vector; /* whose gate */
	gpa_t gate;      /* where it is: the check has this page watched for writes */
	u64 good[2];     /* what it must be: its 16 bytes when the inspector began */
	bool alarmed;    /* it is something else, and that has been told */
};

/* The address of the handler in a gate of 16 bytes. */
u64 gate_handler(const u64 gate[2]);

/* Find the gate of @vector: its guest-physical address, in *@gpa. Returns 0; -EFAULT: the IDT has
 * no such gate, or is not mapped there. */
int find_gate(struct vcpu *vcpu, unsigned vector, gpa_t *gpa);

/* The guest has written something on the page of the gate, whose bytes are @now. Returns true: this
 * is an alarm. */
bool gate_changed(struct inspector *inspector, const u64 now[2]);

/* The guest has executed LIDT. Finds the gate in the new IDT. Returns true: this is an alarm. */
bool idtr_changed(struct inspector *inspector, struct vcpu *vcpu);

/* The same for an entry of the system-call table, which has the address of a function. */
struct call_inspector {
	gpa_t entry;  /* where it is: the check has this page watched for writes */
	u64 good;     /* what it must be */
	bool alarmed; /* it is something else, and that has been told */
};

/* Find the entry of the system call @number in the table at linear @table: its guest-physical
 * address, in *@gpa. Returns 0; -EFAULT: it is not mapped. */
int find_call(struct vcpu *vcpu, gva_t table, unsigned number, gpa_t *gpa);

/* The guest has written something on the page of the entry, which is @now. Returns true: this is an
 * alarm. */
bool call_changed(struct call_inspector *inspector, u64 now);

#endif
