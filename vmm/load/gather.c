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

static void reverse(u8 *start, u8 *end)
{
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

/* Bring the packed files into their order: each in turn to @to, where the ones before it end. */
static void sort(u8 *to, struct gather_piece *pieces, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		struct gather_piece *p = &pieces[i];
		u64 size = padded(p);

		if (p->at > to) {
			rotate(to, p->at, p->at + size);
			for (unsigned k = i + 1; k < nr; k++)
				if (pieces[k].at < p->at)
					pieces[k].at += size;
		}
		to += size;
	}
}

void gather(u8 *to, struct gather_piece *pieces, unsigned nr)
{
	u8 *end = to;
	bool overlaps = overlaps_any(to, pieces, nr);

	set_places(to, pieces, nr, overlaps);
	pack(pieces, nr);
	if (overlaps)
		sort(to, pieces, nr);
	for (unsigned i = 0; i < nr; i++) {
		u64 padding = i + 1 < nr ? padded(&pieces[i]) - pieces[i].size : 0;

		memset(end + pieces[i].size, 0, padding);
		end += padded(&pieces[i]);
	}
}
