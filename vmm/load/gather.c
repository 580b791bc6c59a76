/* SPDX-License-Identifier: MIT */
/*
 * Concatenate files in place: see gather.h.
 *
 * Files that keep the order of their addresses can be packed in place: first those that move down,
 * from the lowest on, then those that move up, from the highest on. None of them is overwritten
 * before it has moved. So when the destination overlaps the sources, the files are packed in the
 * order of their addresses, and then brought into the requested order by rotations.
 */
#include "vmm/load/gather.h"

#include "lib/string.h"

u64 gather_size(u64 before, u64 size)
{
	return ALIGN_UP(before, GATHER_ALIGN) + size;
}

static u64 padded(const struct gather_piece *piece)
{
	return ALIGN_UP(piece->size, GATHER_ALIGN);
}

static bool overlaps_any(const u8 *to, const struct gather_piece *pieces, unsigned nr)
{
	u64 size = 0;

	for (unsigned i = 0; i < nr; i++)
		size += padded(&pieces[i]);
	for (unsigned i = 0; i < nr; i++)
		if (ranges_overlap((u64)to, size, (u64)pieces[i].from, pieces[i].size))
			return true;
	return false;
}

/* Give the files their places from @to on: by their addresses if @by_address, else in their order.
 */
static void set_places(u8 *to, struct gather_piece *pieces, unsigned nr, bool by_address)
{
	for (unsigned i = 0; i < nr; i++) {
		pieces[i].at = to;
		for (unsigned k = 0; k < nr; k++)
			if (by_address ? pieces[k].from < pieces[i].from ||
						 (pieces[k].from == pieces[i].from && k < i)
				       : k < i)
				pieces[i].at += padded(&pieces[k]);
	}
}

static struct gather_piece *next_by_address(struct gather_piece *pieces, unsigned nr,
					    const struct gather_piece *last, bool up)
{
	struct gather_piece *next = NULL;

	for (unsigned i = 0; i < nr; i++) {
		struct gather_piece *p = &pieces[i];

		if (last && (up ? p->at <= last->at : p->at >= last->at))
			continue;
		if (!next || (up ? p->at < next->at : p->at > next->at))
			next = p;
	}
	return next;
}

static void pack(struct gather_piece *pieces, unsigned nr)
{
	struct gather_piece *p = NULL;

	while ((p = next_by_address(pieces, nr, p, true)))
		if (p->at < p->from)
			memmove(p->at, p->from, p->size);
	while ((p = next_by_address(pieces, nr, p, false)))
		if (p->at > p->from)
			memmove(p->at, p->from, p->size);
}

/* Reverse the bytes of [@start, @end), eight at a time: they may be gigabytes. */
static void reverse(u8 *start, u8 *end)
{
	for (; end - start >= 16; start += 8, end -= 8) {
		u64 first, last;

		memcpy(&first, start, 8);
		memcpy(&last, end - 8, 8);
		first = __builtin_bswap64(first);
		last = __builtin_bswap64(last);
		memcpy(start, &last, 8);
		memcpy(end - 8, &first, 8);
	}
	while (start < end) {
		u8 byte = *start;

		*start++ = *--end;
		*end = byte;
	}
}

/* Exchange the bytes of [@start, @middle) and [@middle, @end), each keeping its order. */
static void rotate(u8 *start, u8 *middle, u8 *end)
{
	reverse(start, middle);
	reverse(middle, end);
	reverse(start, end);
}

static u8 *end_of(const struct gather_piece *piece)
{
	return piece->at + padded(piece);
}

/* Exchange the files of the places [@start, @middle) and [@middle, @end). */
static void exchange(struct gather_piece *pieces, unsigned start, unsigned middle, unsigned end)
{
	u8 *at = pieces[start].placed->at;

	if (start == middle || middle == end)
		return;
	rotate(at, pieces[middle].placed->at, end_of(pieces[end - 1].placed));
	for (; middle < end; start++, middle++) {
		struct gather_piece *p = pieces[middle].placed;

		for (unsigned i = middle; i > start; i--)
			pieces[i].placed = pieces[i - 1].placed;
		pieces[start].placed = p;
		p->at = at;
		at += padded(p);
	}
	for (; start < end; start++) {
		pieces[start].placed->at = at;
		at += padded(pieces[start].placed);
	}
}

/* At the places [@first, @last), bring the files before pieces[@limit] in the requested order to
 * the front. Returns how many there are. */
static unsigned partition(struct gather_piece *pieces, unsigned first, unsigned last,
			  unsigned limit)
{
	unsigned middle = first + (last - first) / 2, low, more;

	if (last - first == 1)
		return pieces[first].placed < &pieces[limit];
	low = partition(pieces, first, middle, limit);
	more = partition(pieces, middle, last, limit);
	exchange(pieces, first + low, middle, middle + more);
	return low + more;
}

/* Bring the files [@first, @last), which are packed at the places of the same numbers, into the
 * requested order. For N files each byte is moved at most some log2(N)^2 times. */
static void sort(struct gather_piece *pieces, unsigned first, unsigned last)
{
	unsigned middle = first + (last - first) / 2;

	if (last - first < 2)
		return;
	partition(pieces, first, last, middle);
	sort(pieces, first, middle);
	sort(pieces, middle, last);
}

void gather(u8 *to, struct gather_piece *pieces, unsigned nr)
{
	u8 *end = to;
	bool overlaps = overlaps_any(to, pieces, nr);
	struct gather_piece *p = NULL;

	set_places(to, pieces, nr, overlaps);
	pack(pieces, nr);
	if (overlaps) {
		for (unsigned i = 0; i < nr; i++)
			p = pieces[i].placed = next_by_address(pieces, nr, p, true);
		sort(pieces, 0, nr);
	}
	for (unsigned i = 0; i < nr; i++) {
		u64 padding = i + 1 < nr ? padded(&pieces[i]) - pieces[i].size : 0;

		memset(end + pieces[i].size, 0, padding);
		end += padded(&pieces[i]);
	}
}
