// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A Linux kernel module that asks Glasshouse to leave (docs/hypercalls.md). insmod succeeds if
 * Glasshouse has left.
 */
#include <linux/init.h>
#include <linux/module.h>

#define GLASSHOUSE_LEAVE 0x476c617373000001ul

static int __init leave_init(void)
{
	long result = GLASSHOUSE_LEAVE;

	asm volatile("vmcall" : "+a"(result) : : "memory");
	pr_info("leave: Glasshouse returned %ld\n", result);
	return result;
}

static void __exit leave_exit(void)
{
}

module_init(leave_init);
module_exit(leave_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks the Glasshouse hypervisor to leave");
