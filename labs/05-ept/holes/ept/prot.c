/* SPDX-License-Identifier: MIT */
/*
 * Lab 5, hole 5: permissions that an entry can have. Your file takes the place of ept/prot.c. SDM:
 * "EPT Misconfigurations".
 */
#include "ept/ept.h"
#include "errno.h"
#include "lib/log.h"

int ept_check_prot(const struct ept *ept, unsigned prot)
{
	if (!prot || (prot & ~EPT_RWX))
		return -EINVAL;
	if (!(prot & EPT_R)) {
		if (prot & EPT_W)
			return -EINVAL;
		return ept->caps.exec_only ? 0 : -EOPNOTSUPP;
	}
	return 0;
}

/*
 * Hole 5. To watch a page, Glasshouse takes permissions away from its entry, so that the accesses
 * that are to be seen exit. But not each combination of EPT_R, EPT_W and EPT_X is allowed: W
 * without R never is, X without R only where the CPU has execute-only pages (ept->caps.exec_only).
 * An entry that is not allowed is an EPT misconfiguration.
 *
 * Return @prot if an entry can have it; otherwise as many of its permissions as an entry can have,
 * perhaps none (0: not present). Never return one that is not in @prot: an access would not be
 * seen.
 */
unsigned ept_prot_below(const struct ept *ept, unsigned prot)
{
	(void)ept, (void)prot;
	pr_info("Lab 5: ept_prot_below() is yours to write.\n");
	return EPT_RWX;
}

unsigned ept_prot_above(const struct ept *ept, unsigned prot)
{
	if (prot & EPT_R || !prot || (prot == EPT_X && ept->caps.exec_only))
		return prot;
	return prot | EPT_R;
}
