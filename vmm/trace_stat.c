/* SPDX-License-Identifier: MIT */
/*
 * Reading and counting recorded exits. See trace_stat.h.
 */
#include "vmm/trace_stat.h"
#include "bits.h"
#include "lib/print.h"
#include "lib/string.h"

#define TRACE_NUMBER 28 /* bytes for a time or a percentage */
#define TRIES        4  /* to copy a record that does not change meanwhile */

void trace_ring_init(struct trace_ring *ring, u32 records, u32 vcpu, u32 apic_id)
{
	memcpy(ring->magic, TRACE_RING_MAGIC, sizeof(ring->magic));
	ring->version = TRACE_RING_VERSION;
	ring->size = (u32)trace_ring_bytes(records);
	ring->records = records;
	ring->vcpu = vcpu;
	ring->apic_id = apic_id;
}

static void copy(struct exit_record *to, const struct exit_record *from)
{
	to->entered[1] = READ_ONCE(from->entered[1]);
	to->entered[0] = READ_ONCE(from->entered[0]);
	to->exited[1] = READ_ONCE(from->exited[1]);
	to->exited[0] = READ_ONCE(from->exited[0]);
	to->reason = READ_ONCE(from->reason);
	to->qualification = READ_ONCE(from->qualification);
	to->rip = READ_ONCE(from->rip);
}

/*
 * Copy a record. While Glasshouse writes one, it was entered after it was exited, so two equal
 * copies in the right order are a whole record. Returns whether they are; the entry's time is right
 * in any case.
 */
static bool read_record(const struct exit_record *record, struct trace_exit *exit)
{
	struct exit_record again;

	copy(&exit->record, record);
	for (int i = 0; i < TRIES; i++) {
		copy(&again, record);
		if (!memcmp(&again, &exit->record, sizeof(again)))
			break;
		exit->record = again;
	}
	exit->entered = trace_stamp(again.entered);
	exit->exited = trace_stamp(again.exited);
	exit->left = 0;
	return !memcmp(&again, &exit->record, sizeof(again)) && exit->exited > exit->entered;
}

static u64 entered_at(const struct exit_record *record)
{
	u64 high = READ_ONCE(record->entered[1]);

	return high << 32 | READ_ONCE(record->entered[0]);
}

/* The element with the latest entry, whose time is stored in *@latest. */
static u32 newest(const struct trace_ring *ring, u32 records, u64 *latest)
{
	u32 at = 0;

	*latest = 0;
	for (u32 i = 0; i < records; i++) {
		u64 entered = entered_at(&ring->record[i]);

		if (entered > *latest) {
			*latest = entered;
			at = i;
		}
	}
	return at;
}

/* How many elements, up to @end, were entered after @after. */
static u32 count_after(const struct trace_ring *ring, u32 records, u32 end, u64 after)
{
	u32 n = 0;

	while (n < records && entered_at(&ring->record[(end + records - n) % records]) > after)
		n++;
	return n;
}

u64 trace_each(const struct trace_ring *ring, u32 records, u64 after,
	       void (*seen)(const struct trace_exit *exit, void *context), void *context)
{
	u64 latest, last = after;
	u32 end = newest(ring, records, &latest);
	u32 new = count_after(ring, records, end, after);
	struct trace_exit exit, next;
	bool whole, next_whole = new &&read_record(
			    &ring->record[(end + records - new + 1) % records], &next);

	/* What is entered after the latest has come meanwhile, in the place of an old one. */
	for (u32 i = records - new + 1; i <= records; i++) {
		exit = next;
		whole = next_whole;
		next_whole = read_record(&ring->record[(end + i + 1) % records], &next);
		if (!whole || exit.entered <= after || exit.entered > latest)
			continue;
		last = exit.entered;
		if (exit.record.reason & EXIT_RECORD_BEAT)
			continue;
		if (next.entered >= exit.exited && (i == records || next.entered <= latest))
			exit.left = next.entered;
		seen(&exit, context);
	}
	return last;
}

const char *trace_check(const void *area, size_t bytes, unsigned *nr)
{
	const struct trace_ring *ring = area, *first = area;
	size_t at;

	*nr = 0;
	for (at = 0; bytes - at >= sizeof(*ring); at += first->size, (*nr)++) {
		ring = (const struct trace_ring *)((const char *)area + at);
		if (memcmp(ring->magic, TRACE_RING_MAGIC, sizeof(ring->magic)) != 0)
			return "The recorded exits do not begin with \"" TRACE_RING_MAGIC "\".";
		if (ring->version != TRACE_RING_VERSION)
			return "The recorded exits have another format than this program reads. "
			       "Use the program that was built with this Glasshouse.";
		if (ring->size != first->size || ring->size > bytes - at || !ring->records ||
		    ring->records > TRACE_RECORDS_MAX ||
		    trace_ring_bytes(ring->records) > ring->size)
			return "The recorded exits are damaged: the size of a ring is wrong.";
	}
	return *nr ? NULL : "There are no recorded exits.";
}

void trace_copy(struct trace_ring *to, const struct trace_ring *from)
{
	struct trace_exit exit;

	memcpy(to, from, sizeof(*from));
	for (u32 i = 0; i < from->records; i++) {
		if (!read_record(&from->record[i], &exit))
			exit.record.exited[0] = exit.record.exited[1] = 0;
		to->record[i] = exit.record;
	}
}

void trace_stat_init(struct trace_stat *stat, enum trace_key key)
{
	memset(stat, 0, sizeof(*stat));
	stat->key = key;
}

static struct trace_row *row_of(struct trace_stat *stat, u32 reason, bool is_number, u64 number)
{
	struct trace_row *row = stat->row;

	for (unsigned i = 0; i < stat->nr; i++, row++)
		if (row->reason == reason && row->is_number == is_number && row->number == number)
			return row;
	if (stat->nr == TRACE_STAT_ROWS)
		return NULL;
	stat->nr++;
	*row = (struct trace_row){.reason = reason, .is_number = is_number, .number = number};
	return row;
}

/* The number by which @exit is told apart; false: it is none of those that are asked for. */
static bool number_of_exit(enum trace_key key, const struct trace_exit *exit, trace_about_fn *about,
			   u64 *number)
{
	const char *word = about((u32)exit->record.reason, exit->record.qualification, number);

	if (key == TRACE_BY_RIP)
		*number = exit->record.rip;
	if (key == TRACE_BY_REASON)
		*number = 0;
	return key == TRACE_BY_REASON || key == TRACE_BY_RIP ||
	       (word && !strcmp(word, key == TRACE_BY_PORT ? "port" : "MSR"));
}

void trace_stat_add(struct trace_stat *stat, const struct trace_exit *exit, trace_about_fn *about,
		    bool timed_only)
{
	u64 number = 0, time = exit->left - exit->exited;
	struct trace_row *row;

	if (!number_of_exit(stat->key, exit, about, &number))
		return;
	row = row_of(stat, (u16)exit->record.reason, stat->key != TRACE_BY_REASON, number);
	if (!row) {
		stat->others++;
		return;
	}
	if (!timed_only)
		row->samples++;
	/* A vCPU that was kicked does what another one has asked it for: that is not the exit's
	 * time.
	 */
	if (!exit->left || exit->record.reason & EXIT_RECORD_KICKED)
		return;
	row->min = row->timed ? MIN(row->min, time) : time;
	row->max = MAX(row->max, time);
	row->time += time;
	row->timed++;
}

void trace_stat_count(struct trace_stat *stat, u32 reason, u64 samples)
{
	struct trace_row *row = samples ? row_of(stat, reason, false, 0) : NULL;

	if (row)
		row->samples += samples;
}

/* Most samples first. */
static void sort(struct trace_stat *stat)
{
	for (unsigned i = 1; i < stat->nr; i++) {
		struct trace_row row = stat->row[i];
		unsigned at = i;

		for (; at && stat->row[at - 1].samples < row.samples; at--)
			stat->row[at] = stat->row[at - 1];
		stat->row[at] = row;
	}
}

/* The columns of `perf kvm stat`. @samples: the conversion for their number. */
#define LINE_FORMAT(samples) "%*s %10" samples " %9s %9s %11s %11s %11s"

static int first_width(const struct trace_stat *stat)
{
	return stat->key == TRACE_BY_RIP ? 36 : 24;
}

/* @ticks as microseconds; "-" if there is none that is @known. */
static void print_time(char text[TRACE_NUMBER], bool known, u64 ticks, u64 khz)
{
	u64 hundredths = khz ? ticks / khz * 100000 + ticks % khz * 100000 / khz : 0;

	if (known)
		snprintf(text, TRACE_NUMBER, "%lu.%02luus", hundredths / 100, hundredths % 100);
	else
		snprintf(text, TRACE_NUMBER, "-");
}

static void print_percent(char text[TRACE_NUMBER], bool known, u64 part, u64 whole)
{
	u64 hundredths;

	for (; part >> 50; part >>= 1)
		whole >>= 1;
	hundredths = whole ? part * 10000 / whole : 0;
	if (known)
		snprintf(text, TRACE_NUMBER, "%lu.%02lu%%", hundredths / 100, hundredths % 100);
	else
		snprintf(text, TRACE_NUMBER, "-");
}

static void print_row(const struct trace_stat *stat, const struct trace_row *row,
		      const struct trace_row *total, u64 khz, const char *(*name)(u32 reason),
		      void (*emit)(const char *line))
{
	char line[TRACE_STAT_LINE], first[40], share[TRACE_NUMBER], part[TRACE_NUMBER],
		min[TRACE_NUMBER], max[TRACE_NUMBER], mean[TRACE_NUMBER];
	bool timed = row->timed;

	if (row->is_number)
		snprintf(first, sizeof(first), "%.20s %lx", name(row->reason), row->number);
	else
		snprintf(first, sizeof(first), "%.39s", name(row->reason));
	print_percent(share, true, row->samples, total->samples);
	print_percent(part, timed, row->time, total->time);
	print_time(min, timed, row->min, khz);
	print_time(max, timed, row->max, khz);
	print_time(mean, timed, timed ? row->time / row->timed : 0, khz);
	snprintf(line, sizeof(line), LINE_FORMAT("lu"), first_width(stat), first, row->samples,
		 share, part, min, max, mean);
	emit(line);
}

void trace_stat_print(struct trace_stat *stat, u64 khz, const char *(*name)(u32 reason),
		      void (*emit)(const char *line))
{
	struct trace_row total = {0};
	char line[TRACE_STAT_LINE], time[TRACE_NUMBER];

	sort(stat);
	for (unsigned i = 0; i < stat->nr; i++) {
		total.samples += stat->row[i].samples;
		total.timed += stat->row[i].timed;
		total.time += stat->row[i].time;
	}
	snprintf(line, sizeof(line), LINE_FORMAT("s"), first_width(stat), "VM-EXIT", "Samples",
		 "Samples%", "Time%", "Min Time", "Max Time", "Avg time");
	emit(line);
	for (unsigned i = 0; i < stat->nr; i++)
		print_row(stat, &stat->row[i], &total, khz, name, emit);
	if (stat->others) {
		snprintf(line, sizeof(line), "and %lu others, for which the table has no room",
			 stat->others);
		emit(line);
	}
	print_time(time, true, total.time, khz);
	snprintf(line, sizeof(line),
		 "Total Samples:%lu, Total events handled time:%s (of %lu exits)", total.samples,
		 time, total.timed);
	emit(line);
}
