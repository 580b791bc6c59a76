/* SPDX-License-Identifier: MIT */
/*
 * The vCPUs as gdb's threads: vCPU n is thread n + 1; behind these, once more as many threads are
 * Glasshouse itself on their CPUs, which are only looked at. Either all are stopped, which means
 * that none is in its guest, or those run that gdb has let run. The boot CPU, which has the
 * heartbeat, talks to gdb; a vCPU that hits something stops itself, and the boot CPU stops the
 * others when it next looks.
 */
#ifndef GH_MONITOR_GDB_THREADS_H
#define GH_MONITOR_GDB_THREADS_H

#include "monitor/gdb/packet.h"
#include "monitor/gdb/stop.h"

struct vcpu;
struct vm;

/*
 * The vCPUs of @vm, of which the first is the boot CPU's, are the threads. @ticks: how long to wait
 * for a CPU's answer. @serve, on the boot CPU, is to call threads_take_stop() soon. Returns false
 * if out of memory.
 */
bool threads_init(struct vm *vm, void (*serve)(struct vcpu *vcpu), u64 ticks);

/* The vCPU of thread @n, or NULL; a vCPU that waits for its SIPI is none. */
struct vcpu *thread_vcpu(s64 n);
/* Is thread @n Glasshouse itself, on the CPU of thread_vcpu(@n)? */
bool thread_is_own(unsigned n);
/* The first thread after @n, or 0. */
unsigned thread_after(unsigned n);
/* How many vCPUs may be threads. */
unsigned threads_limit(void);

/* Have thread @n's own CPU call @function. Returns false if it does not answer. */
bool thread_call(unsigned n, void (*function)(struct vcpu *vcpu));

/* Keep all vCPUs out of their guests. */
void threads_stop(void);
/* Let them do what @resumes says: enum resume for each. */
void threads_resume(const u8 *resumes);
/* Let all run, and forget why they had stopped. */
void threads_release(void);

/* Must @vcpu stay out of its guest? */
bool thread_is_kept(const struct vcpu *vcpu);

/* On its own CPU: @vcpu has hit something, and stays out of its guest from now on. Called in an
 * exit handler, or when a step has ended. */
void thread_stops(struct vcpu *vcpu, enum stop_kind kind, u64 address);
/* Returns a thread that has done so and has not been told of, and why; 0: none. */
unsigned threads_take_stop(struct stop *stop);

#endif
