/* SPDX-License-Identifier: MIT */
/*
 * Commands that act on the machine.
 */
#include "monitor/commands.h"

const char *command_pause(const struct arguments *args)
{
	(void)args;
	return monitor_pause(true);
}

const char *command_resume(const struct arguments *args)
{
	(void)args;
	return monitor_pause(false);
}

const char *command_reset(const struct arguments *args)
{
	(void)args;
	monitor_reset();
	return NULL;
}
