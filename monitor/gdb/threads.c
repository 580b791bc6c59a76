/* SPDX-License-Identifier: MIT */
/*
 * The vCPUs as gdb's threads. See threads.h.
 */
#include "monitor/gdb/threads.h"
#include "bits.h"
#include "lib/pages.h"
#include "monitor/gdb/breakpoints.h"
#include "vmm/step.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

struct thread {
	struct stop stop; /* what it has hit, and gdb has not been told of */
	u8 wanted;        /* what gdb wants it to do: enum resume */
	u8 resume;        /* what it does */
};

static struct vm *machine;
static struct thread *threads;
static void (*serve)(struct vcpu *vcpu);
static u64 patience;

bool threads_init(struct vm *vm, void (*function)(struct vcpu *vcpu), u64 ticks)
{
	size_t size = vm->nr_vcpus * sizeof(*threads);

	threads = pages_alloc(ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE);
	machine = vm;
	serve = function;
	patience = ticks;
	if (!threads)
		return false;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		threads[i].resume = RESUME_GO;
	breakpoints_init(vm, thread_stops);
	return true;
}

struct vcpu *thread_vcpu(s64 n)
{
	s64 nr = machine->nr_vcpus;
	struct vcpu *vcpu = n > 0 && n <= 2 * nr ? machine->vcpus[(n - 1) % nr] : NULL;

	return vcpu && READ_ONCE(vcpu->mp_state) == MP_STATE_RUNNABLE ? vcpu : NULL;
}

bool thread_is_own(unsigned n)
{
	return n > machine->nr_vcpus;
}

unsigned thread_after(unsigned n)
{
	while (++n <= 2 * machine->nr_vcpus)
		if (thread_vcpu(n))
			return n;
	return 0;
}

unsigned threads_limit(void)
{
	return machine->nr_vcpus;
}

bool thread_call(unsigned n, void (*function)(struct vcpu *vcpu))
{
	struct vcpu *vcpu = thread_vcpu(n);

	return vcpu && !vcpu_call(vcpu, function, patience);
}

/* Have each vCPU's CPU call @function. One that waits for a SIPI as a guest, or that has not
 * answered, does so before it next enters the guest. */
static void call_all(void (*function)(struct vcpu *vcpu))
{
	for (unsigned i = 0; i < machine->nr_vcpus; i++) {
		struct vcpu *vcpu = machine->vcpus[i];

		if (READ_ONCE(vcpu->mp_state) == MP_STATE_WAIT_FOR_SIPI ||
		    vcpu_call(vcpu, function, patience))
			vcpu_post_call(vcpu, function);
	}
}

static void end_step(struct vcpu *vcpu)
{
	vcpu_cancel_step(vcpu, STEP_GDB);
}

void threads_stop(void)
{
	for (unsigned i = 1; i < machine->nr_vcpus; i++)
		vcpu_pause(machine->vcpus[i]);
	call_all(end_step);
	for (unsigned i = 0; i < machine->nr_vcpus; i++)
		threads[i].resume = RESUME_NOT;
}

static void stepped(struct vcpu *vcpu)
{
	thread_stops(vcpu, STOP_STEP, virt->get_sysreg(vcpu, SYSREG_RIP));
}

/* What the vCPU's own CPU does before it runs. An interrupt that is pending comes after the step:
 * otherwise each step of code that takes interrupts would end in an interrupt handler, because a
 * timer has expired while a person was thinking. */
static void prepare(struct vcpu *vcpu)
{
	u8 resume = threads[vcpu->id].resume;

	if (resume == RESUME_NOT)
		return;
	breakpoints_load(vcpu);
	if (resume == RESUME_STEP && vcpu->mp_state == MP_STATE_RUNNABLE) {
		virt->delay_interrupts(vcpu);
		vcpu_step(vcpu, STEP_GDB, stepped);
	}
}

/* A breakpoint that has been hit, which gdb has not been told of, is hit again, if it is still
 * there; a watchpoint is not. */
static bool is_hit_again(const struct stop *stop)
{
	return stop->kind == STOP_SOFTWARE || stop->kind == STOP_HARDWARE;
}

void threads_resume(const u8 *resumes)
{
	for (unsigned i = 0; i < machine->nr_vcpus; i++) {
		struct thread *thread = &threads[i];

		if (is_hit_again(&thread->stop))
			thread->stop.kind = STOP_NONE;
		thread->wanted = resumes[i];
		thread->resume = thread->stop.kind == STOP_NONE ? resumes[i] : RESUME_NOT;
	}
	call_all(prepare);
	for (unsigned i = 1; i < machine->nr_vcpus; i++)
		if (threads[i].resume != RESUME_NOT)
			vcpu_resume(machine->vcpus[i]);
}

void threads_release(void)
{
	breakpoints_remove_all();
	for (unsigned i = 0; i < machine->nr_vcpus; i++)
		threads[i] = (struct thread){.resume = RESUME_GO};
	call_all(prepare);
	for (unsigned i = 1; i < machine->nr_vcpus; i++)
		vcpu_resume(machine->vcpus[i]);
}

bool thread_is_kept(const struct vcpu *vcpu)
{
	return threads[vcpu->id].resume == RESUME_NOT;
}

void thread_stops(struct vcpu *vcpu, enum stop_kind kind, u64 address)
{
	struct thread *thread = &threads[vcpu->id];

	vcpu_cancel_step(vcpu, STEP_GDB);
	thread->resume = RESUME_NOT;
	thread->stop.address = address;
	__atomic_store_n(&thread->stop.kind, kind, __ATOMIC_RELEASE);
	if (vcpu->id)
		vcpu_pause(vcpu);
	vcpu_post_call(machine->vcpus[0], serve);
}

unsigned threads_take_stop(struct stop *stop)
{
	for (unsigned i = 0; i < machine->nr_vcpus; i++) {
		stop->kind = __atomic_load_n(&threads[i].stop.kind, __ATOMIC_ACQUIRE);
		if (stop->kind == STOP_NONE || threads[i].wanted == RESUME_NOT)
			continue;
		stop->address = threads[i].stop.address;
		threads[i].stop.kind = STOP_NONE;
		return i + 1;
	}
	return 0;
}
