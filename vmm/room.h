/* SPDX-License-Identifier: MIT */
/*
 * Rooms: parts of Glasshouse that an image may be built without (`make ROOMS=`). Nothing includes a
 * room's headers, or calls it by name: a room attaches itself by a row, which the linker puts into
 * a table with the others. A room that is not linked is a row that is not there.
 */
#ifndef GH_VMM_ROOM_H
#define GH_VMM_ROOM_H

#include "bits.h"

struct vm;

/* What the boot gives to a room. */
struct room_setup {
	struct vm *vm; /* VM 0 */
	u16 uart;      /* for "monitor": the I/O port of the UART that it gets */
	bool shared;   /* the guest has this UART, too; it is COM1 */
	/* For "shadow": memory below 4 GiB, page-aligned, of any content. */
	void *pool;
	u64 pool_size; /* bytes */
	/* For "script": the words behind the role of a module, and its bytes, which may be gone
	 * later. */
	const char *words;
	const void *bytes;
	size_t size;
	/* A list of the names in the guest's code (lib/system_map.h), which stays; NULL: none. */
	const char *symbols;
	size_t symbols_size; /* bytes */
};

struct room {
	const char *name;
	/* Start it: on the boot CPU, with its vCPU loaded, before any other vCPU runs. Returns
	 * false if this machine cannot, which is logged. */
	bool (*start)(const struct room_setup *setup);
	/* Called when all vCPUs are loaded, right before the guest's first instruction; or NULL. */
	void (*enter)(void);
	/* Called when Glasshouse leaves, while no vCPU runs; or NULL. */
	void (*leave)(void);
};

/* The row of a room, in one of its files. */
#define ROOM(...) \
	static const struct room this_room __used __aligned(8) __section(".rooms") = {__VA_ARGS__}

/* Returns the room @name, or NULL if the image was built without it. */
const struct room *room_find(const char *name);

/* Call all rooms' enter, or leave. */
void rooms_enter(void);
void rooms_leave(void);

#endif
