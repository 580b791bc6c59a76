/* SPDX-License-Identifier: MIT */
/*
 * Memory by host-physical address. See host_memory.h.
 */
#include "monitor/host_memory.h"
#include "arch/x86/paging.h"
#include "bits.h"
#include "errno.h"
#include "lib/string.h"

extern char __image_start[], __image_end[], __rodata_end[];

/* Where the bytes from @hpa on are mapped, and in *@n how many of these @n follow each other there.
 * Returns NULL if nothing is. The image is not in the direct map. */
static char *mapped(hpa_t hpa, size_t *n)
{
	u64 offset = hpa - image_base_pa, size = (u64)(__image_end - __image_start);

	if (offset < size) {
		*n = MIN(*n, size - offset);
		return __image_start + offset;
	}
	*n = MIN(*n, PAGE_SIZE - (hpa & ~PAGE_MASK));
	return paging_is_mapped(hpa, *n) ? phys_to_virt(hpa) : NULL;
}

/* Call @copy for each part of the bytes; NULL: only look. */
static int each_part(hpa_t hpa, char *bytes, size_t n, bool write,
		     void (*copy)(char *mapped, char *bytes, size_t n))
{
	for (size_t done = 0; done < n;) {
		size_t part = n - done;
		char *at = mapped(hpa + done, &part);

		if (!at)
			return -EFAULT;
		if (write && at >= __image_start && at < __rodata_end)
			return -EROFS;
		if (copy)
			copy(at, bytes + done, part);
		done += part;
	}
	return 0;
}

static void copy_out(char *mapped, char *bytes, size_t n)
{
	memcpy(bytes, mapped, n);
}

static void copy_in(char *mapped, char *bytes, size_t n)
{
	memcpy(mapped, bytes, n);
}

int read_host(hpa_t hpa, void *bytes, size_t n)
{
	return each_part(hpa, bytes, n, false, copy_out);
}

int write_host(hpa_t hpa, const void *bytes, size_t n)
{
	int r = each_part(hpa, NULL, n, true, NULL);

	return r ? r : each_part(hpa, (char *)bytes, n, true, copy_in);
}
