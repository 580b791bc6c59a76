/* SPDX-License-Identifier: MIT */
/*
 * Short waits by the 8254's channel 2, which nobody else uses. For boot time: afterwards it is the
 * guest's.
 */
#ifndef GH_PIT_H
#define GH_PIT_H

#include "types.h"

/*
 * Wait @us microseconds, any number. On a machine whose 8254 stands still, waits by the time-stamp
 * counter, at least as long for clocks of up to 8 GHz.
 */
void pit_delay_us(u32 us);

#endif
