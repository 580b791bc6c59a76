/* SPDX-License-Identifier: MIT */
/*
 * The packets of gdb's remote protocol: $data#checksum, each answered by + or -. Pure: bytes come
 * from the caller, and go to it. Source: GDB's manual, appendix "GDB Remote Serial Protocol".
 */
#ifndef GH_MONITOR_GDB_PACKET_H
#define GH_MONITOR_GDB_PACKET_H

#include "types.h"

#define PACKET_SIZE 0x1000u /* bytes of a packet's data, at most, in each direction */

struct packet {
	char data[PACKET_SIZE + 1]; /* without escapes, terminated by NUL */
	size_t length;              /* may be more than strlen(data): X carries binary data */
	/* Of a packet that is not complete yet: */
	u8 state, sum, told; /* the checksum so far, and that at its end */
	bool escaped, too_long;
};

enum packet_event {
	PACKET_NOTHING,   /* the byte is part of a packet, or of none */
	PACKET_COMPLETE,  /* packet->data is a packet; answer + */
	PACKET_BAD,       /* a packet is damaged or too long; answer - */
	PACKET_ACK,       /* + */
	PACKET_NAK,       /* - */
	PACKET_INTERRUPT, /* Ctrl-C */
};

/* A byte has come. @packet begins as zeros. */
enum packet_event packet_input(struct packet *packet, char byte);

/* Is @packet in the middle of a packet? */
bool packet_begun(const struct packet *packet);

/* An answer, which reply_begin() begins and reply_end() makes a packet of. What has no room is
 * left out. */
struct reply {
	char data[1 + PACKET_SIZE + 4]; /* with $, # and the checksum, terminated by NUL */
	size_t length;
};

void reply_begin(struct reply *reply);
void reply_end(struct reply *reply);

/* Add text, in which $, #, } and * are escaped. */
void reply_text(struct reply *reply, const char *text);
/* Add @n bytes at @bytes in hexadecimal, two digits each. */
void reply_bytes(struct reply *reply, const void *bytes, size_t n);
/* Add the digits of @value in hexadecimal, without leading zeros. */
void reply_number(struct reply *reply, u64 value);
/* Add xx for each of @n bytes: what is not available. */
void reply_unavailable(struct reply *reply, size_t n);

/* Take the hexadecimal number at *@at and move *@at after it. Returns false if there is none, or it
 * has more than 64 bits. */
bool take_number(const char **at, u64 *value);
/* The same for the character @c. */
bool take_char(const char **at, char c);
/* Take @n bytes in hexadecimal, two digits each. */
bool take_bytes(const char **at, void *bytes, size_t n);

/*
 * Returns what follows @name at the beginning of @text, which is nothing, or a separator (: , ;)
 * and more; after a @name that ends with its separator, anything. NULL: @text has another name.
 */
const char *packet_after(const char *text, const char *name);

/* Take a thread: a number from 1 on; 0 any, -1 all. Returns false if there is none. */
bool take_thread(const char **at, s64 *thread);

/* What vCont has a thread do. */
enum resume { RESUME_NOT, RESUME_GO, RESUME_STEP };

/*
 * Take the actions of vCont, from the first semicolon on, for the threads 1 to @threads: @resumes
 * gets an enum resume for each; the first action that names a thread counts. Returns false if it is
 * no such list, or has no action for any of them.
 */
bool take_resumes(const char **at, u8 *resumes, unsigned threads);

#endif
