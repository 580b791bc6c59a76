/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's own registers and memory. See own.h.
 */
#include "monitor/gdb/own.h"
#include "arch/x86/cpu.h"
#include "bits.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "monitor/gdb/registers.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

extern char __image_start[], __image_end[];

static const struct vm *machine;
/* For each vCPU a copy of the last page of its CPU's stack, which begins there. */
static u8 *stacks;

bool own_init(const struct vm *vm)
{
	machine = vm;
	if (!stacks)
		stacks = pages_alloc(vm->nr_vcpus);
	return stacks;
}

#define STORE(name) "movq %%" #name ", %c[" #name "](%[value])\n\t"
#define WHERE(name) [name] "i"(GDB_##name * sizeof(u64))

void own_registers(const struct vcpu *vcpu, struct registers *registers)
{
	u64 *value = registers->value;

	*registers = (struct registers){.own = true};
	asm volatile("" STORE(rbx) STORE(rbp) STORE(rsp) STORE(r12) STORE(r13) STORE(r14)
			     STORE(r15) "leaq 0f(%%rip), %%rax\n\t"
					"movq %%rax, %c[rip](%[value])\n"
					"0:"
		     :
		     : [value] "r"(value), WHERE(rbx), WHERE(rbp), WHERE(rsp), WHERE(r12),
		       WHERE(r13), WHERE(r14), WHERE(r15), WHERE(rip)
		     : "rax", "memory");
	memcpy(stacks + vcpu->id * PAGE_SIZE, (const void *)(vcpu->cpu->stack_top - PAGE_SIZE),
	       PAGE_SIZE);
}

/* The copy of the stack of which @address is, and in *@n how many of these @n bytes it has there;
 * or NULL. */
static const u8 *in_stack(u64 address, size_t *n)
{
	for (unsigned i = 0; i < machine->nr_vcpus; i++) {
		u64 offset = address - (machine->vcpus[i]->cpu->stack_top - PAGE_SIZE);

		if (offset >= PAGE_SIZE)
			continue;
		*n = MIN(*n, PAGE_SIZE - offset);
		return stacks + i * PAGE_SIZE + offset;
	}
	return NULL;
}

size_t own_read(u64 address, void *bytes, size_t n)
{
	u64 start = (u64)__image_start, end = (u64)__image_end;
	const u8 *copy = in_stack(address, &n);

	if (copy) {
		memcpy(bytes, copy, n);
		return n;
	}
	if (address - start >= end - start) {
		size_t size;

		start = (u64)pages_range(&size);
		end = start + size;
		if (address - start >= size)
			return 0;
	}
	n = MIN(n, end - address);
	memcpy(bytes, (const void *)address, n);
	return n;
}
