/* SPDX-License-Identifier: MIT */
/*
 * The table of rooms. See room.h.
 */
#include "vmm/room.h"
#include "lib/string.h"

extern const struct room __rooms_start[], __rooms_end[];

const struct room *room_find(const char *name)
{
	for (const struct room *room = __rooms_start; room < __rooms_end; room++)
		if (!strcmp(room->name, name))
			return room;
	return NULL;
}

void rooms_enter(void)
{
	for (const struct room *room = __rooms_start; room < __rooms_end; room++)
		if (room->enter)
			room->enter();
}

void rooms_leave(void)
{
	for (const struct room *room = __rooms_start; room < __rooms_end; room++)
		if (room->leave)
			room->leave();
}
