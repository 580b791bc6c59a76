/* SPDX-License-Identifier: MIT */
/*
 * See lab.h.
 */
#include "labs/common/lab.h"
#include "arch/x86/cpu.h"
#include "guests/lib/random.h"
#include "lib/log.h"
#include "lib/print.h"
#include "seed.h"

static bool failed;

void lab_result(unsigned number, const char *why)
{
	if (why) {
		failed = true;
		pr_info("not ok %u - %s\n", number, why);
	} else {
		pr_info("ok %u\n", number);
	}
}

void lab_stop_if_failed(void)
{
	if (!failed)
		return;
	pr_err("Glasshouse has stopped. The guest is not run before these tests pass.\n");
	cpu_stop();
}

void lab_key(const char *key, const char *fmt, ...)
{
	char value[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	pr_info("key %s = %s\n", key, value);
}

u64 lab_random(void)
{
	static u64 state = LAB_RANDOM;

	return xorshift64(&state);
}
