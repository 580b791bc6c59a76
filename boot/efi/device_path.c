/* SPDX-License-Identifier: MIT */
/*
 * Device paths and load options, as data. Nodes have any length, so nothing in them is aligned.
 */
#include "boot/efi/device_path.h"

#include "bits.h"
#include "boot/efi/option_text.h"
#include "lib/string.h"

#define NODE_SIZE sizeof(EFI_DEVICE_PATH)
#define HD_SIZE   (offsetof(HARDDRIVE_DEVICE_PATH, SignatureType) + 1)

static size_t node_size(const EFI_DEVICE_PATH *node)
{
	return (size_t)DevicePathNodeLength(node);
}

static const EFI_DEVICE_PATH *next_node(const EFI_DEVICE_PATH *node)
{
	return (const void *)((const u8 *)node + node_size(node));
}

static bool node_is(const EFI_DEVICE_PATH *node, u8 type, u8 subtype)
{
	return DevicePathType(node) == type && node->SubType == subtype;
}

bool path_is_end(const EFI_DEVICE_PATH *path)
{
	return IsDevicePathEnd(path);
}

size_t path_size(const void *path, size_t max)
{
	const EFI_DEVICE_PATH *node;
	size_t size = 0;

	do {
		node = (const void *)((const u8 *)path + size);
		if (max - size < NODE_SIZE || node_size(node) < NODE_SIZE ||
		    node_size(node) > max - size)
			return 0;
		size += node_size(node);
	} while (!path_is_end(node));
	return node_size(node) == NODE_SIZE ? size : 0;
}

/* A partition is known by its GUID, or by its number and the signature of its disk's MBR. */
static bool same_partition(const EFI_DEVICE_PATH *a, const EFI_DEVICE_PATH *b)
{
	HARDDRIVE_DEVICE_PATH x, y;

	if (!node_is(b, MEDIA_DEVICE_PATH, MEDIA_HARDDRIVE_DP) || node_size(a) < HD_SIZE ||
	    node_size(b) < HD_SIZE)
		return false;
	memcpy(&x, a, HD_SIZE);
	memcpy(&y, b, HD_SIZE);
	if (x.SignatureType != y.SignatureType)
		return false;
	if (x.SignatureType == SIGNATURE_TYPE_GUID)
		return memcmp(x.Signature, y.Signature, sizeof(x.Signature)) == 0;
	return x.SignatureType == SIGNATURE_TYPE_MBR && x.PartitionNumber == y.PartitionNumber &&
	       memcmp(x.Signature, y.Signature, sizeof(u32)) == 0;
}

static const EFI_DEVICE_PATH *match_partition(const EFI_DEVICE_PATH *path,
					      const EFI_DEVICE_PATH *volume)
{
	const EFI_DEVICE_PATH *last = volume;

	if (path_is_end(volume))
		return NULL;
	while (!path_is_end(next_node(last)))
		last = next_node(last);
	return same_partition(path, last) ? next_node(path) : NULL;
}

static const EFI_DEVICE_PATH *match_beginning(const EFI_DEVICE_PATH *path,
					      const EFI_DEVICE_PATH *volume)
{
	for (; !path_is_end(path) && !path_is_end(volume);
	     path = next_node(path), volume = next_node(volume))
		if (node_size(path) != node_size(volume) ||
		    memcmp(path, volume, node_size(path)) != 0)
			return NULL;
	return path;
}

const EFI_DEVICE_PATH *path_match(const EFI_DEVICE_PATH *path, const EFI_DEVICE_PATH *volume)
{
	if (node_is(path, MEDIA_DEVICE_PATH, MEDIA_HARDDRIVE_DP))
		path = match_partition(path, volume);
	else if (!node_is(path, MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP))
		path = match_beginning(path, volume);
	if (path && (path_is_end(path) || node_is(path, MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP)))
		return path;
	return NULL;
}

size_t path_join(void *to, const EFI_DEVICE_PATH *a, const EFI_DEVICE_PATH *b)
{
	size_t first = path_size(a, SIZE_MAX) - NODE_SIZE, second = path_size(b, SIZE_MAX);

	memcpy(to, a, first);
	memcpy((u8 *)to + first, b, second);
	return first + second;
}

void path_of_file(struct file_path *path, const CHAR16 *name)
{
	EFI_DEVICE_PATH end = {
		END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {NODE_SIZE, 0}};
	size_t n = 0, size;

	do {
		path->name[n] = name[n] == '/' ? '\\' : name[n];
	} while (name[n++] && n < FILE_NAME_MAX);
	size = NODE_SIZE + n * sizeof(CHAR16);
	path->node = (EFI_DEVICE_PATH){
		MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, {(u8)size, (u8)(size >> 8)}};
	memcpy((u8 *)path + size, &end, sizeof(end));
}

/* Append @c to the name of @n characters, but no second backslash. Returns the new number. */
static size_t put(CHAR16 *name, size_t n, CHAR16 c)
{
	if (c == '/')
		c = '\\';
	if (n < FILE_NAME_MAX && !(c == '\\' && n && name[n - 1] == '\\'))
		name[n++] = c;
	return n;
}

bool path_file_name(const EFI_DEVICE_PATH *path, CHAR16 *name)
{
	size_t n = 0;

	for (; !path_is_end(path); path = next_node(path)) {
		const u8 *text = (const u8 *)path + NODE_SIZE;
		size_t chars = (node_size(path) - NODE_SIZE) / sizeof(CHAR16);

		if (!node_is(path, MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP))
			return false;
		n = put(name, n, '\\');
		for (size_t i = 0; i < chars && wide_at(text, i); i++)
			n = put(name, n, wide_at(text, i));
	}
	if (n == FILE_NAME_MAX)
		return false;
	name[n] = 0;
	return n != 0;
}

bool same_file_name(const CHAR16 *a, const CHAR16 *b)
{
	for (; to_lower(*a) == to_lower(*b); a++, b++)
		if (!*a)
			return true;
	return false;
}

bool load_option_parse(struct load_option *option, const void *bytes, size_t size)
{
	const u8 *p = bytes, *end = p + size;
	u16 path_bytes;
	size_t n = 0;

	if (size < sizeof(u32) + sizeof(u16))
		return false;
	memcpy(&option->attributes, p, sizeof(u32));
	memcpy(&path_bytes, p + sizeof(u32), sizeof(u16));
	p += sizeof(u32) + sizeof(u16);
	do {
		if ((size_t)(end - p) < (n + 1) * sizeof(CHAR16))
			return false;
	} while (wide_at(p, n++));
	wide_to_text(option->description, sizeof(option->description), p, n);
	p += n * sizeof(CHAR16);
	if (path_bytes > end - p)
		return false;
	option->path = (const void *)p;
	option->data = p + path_bytes;
	option->data_size = (size_t)(end - p) - path_bytes;
	return path_size(p, path_bytes) > NODE_SIZE;
}
