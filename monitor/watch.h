/* SPDX-License-Identifier: MIT */
/*
 * The command watch. See watch.c.
 */
#ifndef GH_MONITOR_WATCH_H
#define GH_MONITOR_WATCH_H

#include <stdbool.h>

/* Have hits come that are to be printed at once (watch live)? Prints them. */
bool watch_has_news(void);
void watch_print_news(void);

#endif
