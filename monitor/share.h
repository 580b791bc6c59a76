/* SPDX-License-Identifier: MIT */
/*
 * COM1 as a line that the guest and the monitor share (shared_uart.h): the guest's accesses exit;
 * what the CPUs do with it, one after the other; the log.
 */
#ifndef GH_MONITOR_SHARE_H
#define GH_MONITOR_SHARE_H

#include "types.h"

struct vm;

/* Have the accesses of the guest of @vm exit. Before its vCPUs run. @second: of the time-stamp
 * counter. Returns false if there is no room for that many ports. */
bool share_start(struct vm *vm, u64 second);
/* The guest is about to run: the UART is its own from now on. */
void share_enter(void);
/* Glasshouse leaves. */
void share_leave(void);

/* At each beat. Returns true while the monitor has the terminal. */
bool share_beat(void);
/* Ctrl-T has been typed: what comes now is the guest's. */
bool share_is_left(void);
/* Is what the guest has printed meanwhile still being sent, at beats? */
bool share_drains(void);
/* What was typed before it has been done: the guest has the terminal. */
void share_release(void);
/* Ctrl-T is a byte as any other, or is not. */
void share_raw(bool raw);

/* Returns the next byte for the monitor, with SERIAL_LOST (drivers/serial.h) added if others have
 * been lost; -1: none. */
int share_receive(void);
/* Send the monitor's @n bytes at @s, with \n as \r\n. While it has the terminal. */
void share_send(const char *s, size_t n);

#endif
