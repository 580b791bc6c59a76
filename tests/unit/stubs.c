/* SPDX-License-Identifier: MIT */
/*
 * The stubs and helpers that every unit test uses.
 */
#include "tests/unit/stubs.h"
#include "lib/log.h"

static char log_buf[64 << 10];
static size_t log_len;

const char *log_text(void)
{
	return log_buf;
}

void log_clear(void)
{
	log_len = 0;
	log_buf[0] = '\0';
}

bool log_has(const char *text)
{
	return strstr(log_buf, text) != NULL;
}

static void log_append(const char *line)
{
	size_t n = strlen(line), drop;

	if (getenv("GH_TEST_LOG"))
		fputs(line, stderr);
	if (log_len + n >= sizeof(log_buf)) {
		drop = MIN(log_len, sizeof(log_buf) / 2);
		memmove(log_buf, log_buf + drop, log_len - drop);
		log_len -= drop;
	}
	memcpy(log_buf + log_len, line, n + 1);
	log_len += n;
}

void printk(enum log_level level, const char *fmt, ...)
{
	char line[4096];
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	log_append(line);
}

void panic(const char *fmt, ...)
{
	char line[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	log_append(line);
	mock_assert(0, line, "panic", 0);
	abort();
}

/* STEP_ONCE() in code that is tested; see vmm/steps.h. */
void step_record(u64 at);
void step_record(u64 at)
{
	(void)at;
}

u64 rand_next(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

u64 rand_below(u64 *state, u64 n)
{
	return rand_next(state) % n;
}

void *exact_copy(const void *src, size_t n)
{
	void *p = malloc(n ? n : 1);

	assert_non_null(p);
	return memcpy(p, src, n);
}
