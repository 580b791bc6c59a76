// SPDX-License-Identifier: MIT
/*
 * vmm/vm0/bios.c: a call to the BIOS. The guest's memory is an array, and the service is a
 * function.
 */
#include "tests/unit/stubs.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "vmm/vm0/bios.h"
#include "vmm/vm0/vm0.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/start.h"

#define THUNK 0x9f104u

struct virt_ops virt_ops;
const struct vm_ops vm0_ops;

static struct vm0 vm0;
static struct vcpu vcpu;
static struct segment es;
static u8 memory[0xa0000];
static bool writable;
static unsigned starts, runs;
static u16 start_cs, start_ip;

int read_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len)
{
	(void)vm;
	memcpy(buf, memory + gpa, len);
	return 0;
}

int write_guest(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	(void)vm;
	if (!writable)
		return -EFAULT;
	memcpy(memory + gpa, buf, len);
	return 0;
}

void start_real_mode(struct vcpu *v, u16 cs, u16 ip)
{
	memset(v->regs, 0, sizeof(v->regs));
	starts++;
	start_cs = cs;
	start_ip = ip;
}

void start_enable_interrupts(struct vcpu *v)
{
	(void)v;
}

void vcpu_set_mp_state(struct vcpu *v, enum mp_state state)
{
	(void)v;
	(void)state;
}

/* The service: it answers AX = 1234h and ES = 5678h, with carry. */
int vcpu_run(struct vcpu *v)
{
	runs++;
	assert_int_equal(v->regs[VCPU_RAX], 0x201);
	assert_int_equal(v->regs[VCPU_RDX], 0x80);
	assert_int_equal(es.base, 0x7c00);
	v->regs[VCPU_RAX] = 0x1234;
	es.selector = 0x5678;
	return 0;
}

static u64 get_sysreg(struct vcpu *v, enum sysreg reg)
{
	(void)v;
	return reg == SYSREG_RFLAGS ? RFLAGS_CF : 0;
}

static void get_segment(struct vcpu *v, enum segment_reg reg, struct segment *seg)
{
	(void)v;
	(void)reg;
	*seg = es;
}

static void set_segment(struct vcpu *v, enum segment_reg reg, const struct segment *seg)
{
	(void)v;
	assert_int_equal(reg, SEG_ES);
	es = *seg;
}

static int setup(void **state)
{
	(void)state;
	memset(&vm0, 0, sizeof(vm0));
	memset(&vcpu, 0x5a, sizeof(vcpu));
	vcpu.vm = &vm0.vm;
	vm0.bios_thunk = THUNK;
	starts = runs = 0;
	virt_ops = (struct virt_ops){
		.get_sysreg = get_sysreg, .get_segment = get_segment, .set_segment = set_segment};
	return 0;
}

static void a_call_gives_and_takes_registers(void **state)
{
	struct bios_regs regs = {.eax = 0x201, .edx = 0x80, .es = 0x7c0};

	(void)state;
	writable = true;
	assert_int_equal(bios_call(&vcpu, 0x13, &regs), 0);
	assert_int_equal(memory[THUNK + 1], 0x13);
	assert_int_equal(start_cs * 16u + start_ip, THUNK);
	assert_int_equal(regs.eax, 0x1234);
	assert_int_equal(regs.es, 0x5678);
	assert_true(regs.carry);
}

static void a_call_that_cannot_be_made_changes_nothing(void **state)
{
	struct bios_regs regs = {.eax = 0x201, .edx = 0x80, .es = 0x7c0};
	struct vcpu before = vcpu;

	(void)state;
	writable = false;
	assert_int_equal(bios_call(&vcpu, 0x13, &regs), -EFAULT);
	assert_int_equal(starts, 0);
	assert_int_equal(runs, 0);
	assert_memory_equal(&vcpu, &before, sizeof(vcpu));
	assert_int_equal(regs.eax, 0x201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_call_gives_and_takes_registers, setup),
		cmocka_unit_test_setup(a_call_that_cannot_be_made_changes_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
