/* SPDX-License-Identifier: MIT */
/*
 * Packets of gdb's remote protocol. See packet.h.
 */
#include "monitor/gdb/packet.h"
#include "lib/string.h"

#define CTRL_C 0x03

enum { BETWEEN, DATA, SUM_HIGH, SUM_LOW };

static const char digits[] = "0123456789abcdef";

/* Returns the digit's value, or 16 if it is none. */
static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;
}

bool packet_begun(const struct packet *packet)
{
	return packet->state != BETWEEN;
}

static void begin(struct packet *packet)
{
	packet->length = 0;
	packet->data[0] = '\0';
	packet->sum = 0;
	packet->escaped = packet->too_long = false;
	packet->state = DATA;
}

static void add(struct packet *packet, char byte)
{
	packet->sum = (u8)(packet->sum + (u8)byte);
	if (byte == '}' && !packet->escaped) {
		packet->escaped = true;
		return;
	}
	if (packet->length == PACKET_SIZE) {
		packet->too_long = true;
		return;
	}
	packet->data[packet->length++] = packet->escaped ? (char)(byte ^ 0x20) : byte;
	packet->data[packet->length] = '\0';
	packet->escaped = false;
}

static enum packet_event between(struct packet *packet, char byte)
{
	switch (byte) {
	case '$':
		begin(packet);
		return PACKET_NOTHING;
	case '+':
		return PACKET_ACK;
	case '-':
		return PACKET_NAK;
	case CTRL_C:
		return PACKET_INTERRUPT;
	default:
		return PACKET_NOTHING;
	}
}

enum packet_event packet_input(struct packet *packet, char byte)
{
	unsigned value = digit(byte);

	if (packet->state == BETWEEN)
		return between(packet, byte);
	if (byte == '$') { /* the end of the one before has been lost */
		begin(packet);
		return PACKET_NOTHING;
	}
	if (packet->state == DATA) {
		if (byte == '#')
			packet->state = SUM_HIGH;
		else
			add(packet, byte);
		return PACKET_NOTHING;
	}
	if (value < 16 && packet->state == SUM_HIGH) {
		packet->told = (u8)(value << 4);
		packet->state = SUM_LOW;
		return PACKET_NOTHING;
	}
	packet->state = BETWEEN;
	return value < 16 && (packet->told | value) == packet->sum && !packet->escaped &&
			       !packet->too_long
		       ? PACKET_COMPLETE
		       : PACKET_BAD;
}

/* Leaves room for # and the checksum. */
static void put(struct reply *reply, char c)
{
	if (reply->length < 1 + PACKET_SIZE)
		reply->data[reply->length++] = c;
}

void reply_begin(struct reply *reply)
{
	reply->data[0] = '$';
	reply->length = 1;
}

void reply_end(struct reply *reply)
{
	u8 sum = 0;

	for (size_t i = 1; i < reply->length; i++)
		sum = (u8)(sum + (u8)reply->data[i]);
	reply->data[reply->length++] = '#';
	reply->data[reply->length++] = digits[sum >> 4];
	reply->data[reply->length++] = digits[sum & 15];
	reply->data[reply->length] = '\0';
}

/* Escaped bytes stay together. */
void reply_text(struct reply *reply, const char *text)
{
	for (; *text && reply->length < PACKET_SIZE; text++) {
		if (strchr("$#}*", *text)) {
			put(reply, '}');
			put(reply, (char)(*text ^ 0x20));
		} else {
			put(reply, *text);
		}
	}
}

void reply_bytes(struct reply *reply, const void *bytes, size_t n)
{
	const u8 *byte = bytes;

	for (size_t i = 0; i < n && reply->length < PACKET_SIZE; i++) {
		put(reply, digits[byte[i] >> 4]);
		put(reply, digits[byte[i] & 15]);
	}
}

void reply_number(struct reply *reply, u64 value)
{
	unsigned shift = 60;

	while (shift && !(value >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		put(reply, digits[value >> shift & 15]);
		if (!shift)
			return;
	}
}

void reply_unavailable(struct reply *reply, size_t n)
{
	while (n--)
		reply_text(reply, "xx");
}

bool take_number(const char **at, u64 *value)
{
	const char *start = *at;
	u64 sum = 0;

	for (; digit(**at) < 16; (*at)++) {
		if (sum >> 60)
			return false;
		sum = sum << 4 | digit(**at);
	}
	if (*at == start)
		return false;
	*value = sum;
	return true;
}

bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

bool take_bytes(const char **at, void *bytes, size_t n)
{
	u8 *byte = bytes;

	for (size_t i = 0; i < n; i++) {
		unsigned high = digit((*at)[0]);
		unsigned low = high < 16 ? digit((*at)[1]) : 16;

		if (low == 16)
			return false;
		byte[i] = (u8)(high << 4 | low);
		*at += 2;
	}
	return true;
}

static bool is_separator(char c)
{
	return c == ':' || c == ',' || c == ';';
}

const char *packet_after(const char *text, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(text, name, n) != 0)
		return NULL;
	text += n;
	return !*text || is_separator(*text) || is_separator(name[n - 1]) ? text : NULL;
}

bool take_thread(const char **at, s64 *thread)
{
	bool minus = take_char(at, '-');
	u64 number;

	if (!take_number(at, &number) || number >> 32 || (minus && number != 1))
		return false;
	*thread = minus ? -1 : (s64)number;
	return true;
}

/* One action: c, s, or C and S with a signal, which no vCPU gets; then a thread or none: all. */
static bool take_resume(const char **at, enum resume *resume, s64 *thread)
{
	char action = **at;
	u64 signal;

	*thread = -1;
	if (action != 'c' && action != 'C' && action != 's' && action != 'S')
		return false;
	(*at)++;
	if ((action == 'C' || action == 'S') && !take_number(at, &signal))
		return false;
	*resume = action == 'c' || action == 'C' ? RESUME_GO : RESUME_STEP;
	return !take_char(at, ':') || take_thread(at, thread);
}

bool take_resumes(const char **at, u8 *resumes, unsigned threads)
{
	bool any = false;

	memset(resumes, RESUME_NOT, threads);
	while (take_char(at, ';')) {
		enum resume resume;
		s64 thread;

		if (!take_resume(at, &resume, &thread))
			return false;
		for (unsigned i = 0; i < threads; i++)
			if (resumes[i] == RESUME_NOT && (thread <= 0 || thread == i + 1)) {
				resumes[i] = (u8)resume;
				any = true;
			}
	}
	return any && !**at;
}
