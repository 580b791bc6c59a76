/* SPDX-License-Identifier: MIT */
/*
 * A ticket lock: CPUs get it in the order in which they asked. NMI handlers must not take it.
 */
#ifndef GH_SPINLOCK_H
#define GH_SPINLOCK_H

#include "types.h"

typedef struct {
	u32 next;  /* the ticket for the next CPU that asks */
	u32 owner; /* the ticket of the CPU that may hold the lock */
} spinlock_t;

/* Acquire @lock, spinning until it is free. A zeroed lock is free. */
static inline void spin_lock(spinlock_t *lock)
{
	u32 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
}

/* Release @lock, which this CPU must hold. */
static inline void spin_unlock(spinlock_t *lock)
{
	__atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

#endif
