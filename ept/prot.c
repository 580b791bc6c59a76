/* SPDX-License-Identifier: MIT */
/*
 * Which permissions an entry can have. See ept.h. SDM: "EPT Misconfigurations".
 */
#include "ept/ept.h"
#include "errno.h"

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

unsigned ept_prot_below(const struct ept *ept, unsigned prot)
{
	if (prot & EPT_R)
		return prot;
	return prot & EPT_X && ept->caps.exec_only ? EPT_X : 0;
}

unsigned ept_prot_above(const struct ept *ept, unsigned prot)
{
	if (prot & EPT_R || !prot || (prot == EPT_X && ept->caps.exec_only))
		return prot;
	return prot | EPT_R;
}
