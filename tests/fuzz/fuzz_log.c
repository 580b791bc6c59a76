/* SPDX-License-Identifier: MIT */
/*
 * The log ring, as Glasshouse finds it after a reset, and as glasshouse-log reads it: the input is
 * its header, changes of its counters, and its text. The target corrects the checksums if the first
 * byte says so.
 */
#include "tests/fuzz/fuzz.h"

#include "drivers/console.h"
#include "drivers/log_writer.h"
#include "guests/tools/log_reader.h"
#include "lib/pages.h"

#define BYTES (CONSOLE_RING_PAGES * PAGE_SIZE)
#define TEXT  (BYTES - sizeof(struct log_ring))

static char *kept;
static size_t printed;

void *pages_alloc(size_t nr)
{
	kept = malloc(nr * PAGE_SIZE);
	return kept;
}

void console_write(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printed += s[i] != 1;
	if (printed > BYTES + 200)
		abort();
}

static void read_all(const struct log_reader *opened, struct log_ring *ring, const u64 counts[4])
{
	struct log_reader r = *opened;
	char *text = malloc(r.size);
	u64 lost;

	for (unsigned i = 0; i < 5; i++) {
		if (log_reader_read(&r, text, &lost) > r.size)
			abort();
		if (i < 4)
			ring->written = ring->claimed = counts[i];
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log_ring *ring = malloc(BYTES);
	struct log_reader reader;
	u64 counts[4];
	u8 fix;

	memset(ring, 0, BYTES);
	take(&data, &size, &fix, 1);
	take(&data, &size, ring, sizeof(*ring));
	take(&data, &size, counts, sizeof(counts));
	for (size_t i = 0; size && i < TEXT; i++)
		ring->text[i] = (char)data[i % size];
	if (fix & 1) {
		memcpy(ring->magic, LOG_RING_MAGIC, sizeof(LOG_RING_MAGIC));
		ring->version = LOG_RING_VERSION;
		ring->size = fix & 2 ? ring->size : TEXT;
		ring->sum = 0;
		for (size_t i = 0; i < TEXT; i++)
			ring->sum += (u8)ring->text[i];
		ring->check = log_ring_check(ring);
	}
	if (!log_reader_open(&reader, ring, BYTES, fix & 4))
		read_all(&reader, ring, counts);
	ring->written = counts[3];
	if (fix & 1)
		ring->check = log_ring_check(ring);
	printed = 0;
	kept = NULL;
	console_take_last(ring, BYTES);
	free(kept);
	free(ring);
	return 0;
}
