/* SPDX-License-Identifier: MIT */
/*
 * A ticket lock: fair, so that no CPU starves. Not taken in NMI handlers.
 */
#ifndef GH_SPINLOCK_H
#define GH_SPINLOCK_H

#include "types.h"

typedef struct {
	u32 next;  /* the ticket that the next comer draws */
	u32 owner; /* the ticket that is served */
} spinlock_t;

/* Wait until the lock is ours. A zeroed one is free. */
static inline void spin_lock(spinlock_t *lock)
{
	u32 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
}

/* Only by its owner. */
static inline void spin_unlock(spinlock_t *lock)
{
	__atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

#endif
