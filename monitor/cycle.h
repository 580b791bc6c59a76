/* SPDX-License-Identifier: MIT */
/*
 * The words of the command `cycle`.
 */
#ifndef GH_MONITOR_CYCLE_H
#define GH_MONITOR_CYCLE_H

#include "monitor/commands.h"
#include "monitor/tracer.h"

struct cycle_request {
	enum { CYCLE_EXIT, CYCLE_PF, CYCLE_INIT, CYCLE_CREATE, CYCLE_STEPS } form;
	const char *vcpu; /* its number; NULL: none is given */
	struct cycle_wanted wanted;
};

/* Parse the words after `cycle`. Returns NULL, or what is wrong. */
const char *cycle_parse(const struct arguments *args, struct cycle_request *request);

#endif
