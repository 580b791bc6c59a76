/* SPDX-License-Identifier: MIT */
/*
 * The monitor: commands on a serial line, while the guest runs. Optional: only boot/main.c includes
 * it.
 */
#ifndef GH_MONITOR_MONITOR_H
#define GH_MONITOR_MONITOR_H

#include "types.h"

struct vm;

#define MONITOR_HZ 100u /* how often the serial line is polled */

/*
 * Listen on the UART at I/O port @port, which the guest sees no more, while @vm, VM 0, runs. On the
 * boot CPU, with its vCPU loaded, before any other vCPU runs. Returns false if the CPU cannot,
 * which is logged.
 */
bool monitor_start(struct vm *vm, u16 port);

#endif
