/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse itself, for gdb to look at: the image, the heap, and the CPUs' stacks as they were
 * when their registers were read.
 */
#ifndef GH_MONITOR_GDB_OWN_H
#define GH_MONITOR_GDB_OWN_H

#include "types.h"

struct registers;
struct vcpu;
struct vm;

/* Returns false if out of memory. Before the other functions. */
bool own_init(const struct vm *vm);

/* On the CPU of @vcpu: read Glasshouse's own registers, as far as a function keeps them for its
 * caller, and copy the stack, as the CPU goes on. */
void own_registers(const struct vcpu *vcpu, struct registers *registers);

/* Copy at most @n bytes at the linear @address of Glasshouse to @bytes. Returns how many were
 * copied: 0 if the address is in none of them. */
size_t own_read(u64 address, void *bytes, size_t n);

#endif
