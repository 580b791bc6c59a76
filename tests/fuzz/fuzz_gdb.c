/* SPDX-License-Identifier: MIT */
/*
 * What comes on the line from gdb: packets, and the numbers, bytes and actions in each.
 */
#include "tests/fuzz/fuzz.h"

#include "monitor/gdb/packet.h"

#define THREADS 5u

static void look_into(const struct packet *packet)
{
	static u8 bytes[PACKET_SIZE];
	const char *at = packet->data;
	u8 resumes[THREADS];
	struct reply reply;
	s64 thread;
	u64 value;

	if (packet->length > PACKET_SIZE || packet->data[packet->length])
		abort();
	take_bytes(&at, bytes, packet->length / 2);
	at = packet->data;
	take_resumes(&at, resumes, THREADS);
	for (at = packet->data; *at; at++) {
		if (take_number(&at, &value) && !*at)
			break;
		if (take_thread(&at, &thread) && !*at)
			break;
	}
	reply_begin(&reply);
	reply_text(&reply, packet->data);
	reply_bytes(&reply, packet->data, packet->length);
	reply_number(&reply, packet->length);
	reply_end(&reply);
	if (strlen(reply.data) != reply.length || reply.length >= sizeof(reply.data))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet packet;

	memset(&packet, 0, sizeof(packet));
	for (size_t i = 0; i < size; i++)
		if (packet_input(&packet, (char)data[i]) == PACKET_COMPLETE)
			look_into(&packet);
	return 0;
}
