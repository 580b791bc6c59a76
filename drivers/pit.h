/* SPDX-License-Identifier: MIT */
/*
 * Delays by channel 2 of the 8254 (PIT), before and after the guest runs: the channel is the
 * guest's meanwhile.
 */
#ifndef GH_PIT_H
#define GH_PIT_H

#include "types.h"

/*
 * Wait at least @us microseconds, any number. If there is no 8254, or it does not count, the
 * time-stamp counter ends the wait, not earlier than @us if it runs at up to 8 GHz.
 */
void pit_delay_us(u32 us);

#endif
