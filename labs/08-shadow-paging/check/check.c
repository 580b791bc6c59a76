/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 8: each function by itself, right before the guest's first instruction, where
 * EPT is not in use; then the guest's walks, and its exits for the answers. The parts: lab8.h.
 */
#include "labs/08-shadow-paging/check/lab8.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "vmm/room.h"
#include "vmm/vmx/vmx.h"

enum test {
	TEST_FIND_LEAF = 1,
	TEST_ACCESS_ERROR,
	TEST_MAY_ACCESS,
	TEST_MARK_ACCESSED,
	TEST_LEAF_RIGHTS,
	TEST_SPTE,
	TEST_CHOOSE,
	TEST_MAP,
	TEST_GUEST, /* the guest's own results */
	TEST_WALKS,
};

int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);
void __real_vmx_hardware_disable(void), __wrap_vmx_hardware_disable(void);

static struct vcpu *vcpu;
static u64 invlpgs, crs;

static void check_all(void)
{
	vcpu = this_cpu()->vcpu;
	if (!vcpu->vm->shadow_ops) /* the boot with EPT, to compare */
		return;
	lab_result(TEST_FIND_LEAF, check_find_leaf(vcpu->vm));
	lab_result(TEST_ACCESS_ERROR, check_access_error());
	lab_result(TEST_MAY_ACCESS, check_may_access());
	lab_result(TEST_MARK_ACCESSED, check_mark_accessed(vcpu->vm));
	lab_result(TEST_LEAF_RIGHTS, check_leaf_rights());
	lab_result(TEST_SPTE, check_spte());
	lab_result(TEST_CHOOSE, check_choose(vcpu));
	lab_stop_if_failed(); /* the last one uses all of them */
	lab_result(TEST_MAP, check_map(vcpu));
	lab_stop_if_failed();
	watch_walks(true);
}

ROOM(.name = "lab", .enter = check_all);

int __wrap_vmx_handle_exit(struct vcpu *v)
{
	u32 reason = (u32)vmread(VM_EXIT_REASON);

	if (reason == EXIT_REASON_INVLPG)
		invlpgs++;
	else if (reason == EXIT_REASON_CR_ACCESS)
		crs++;
	return __real_vmx_handle_exit(v);
}

void __wrap_vmx_hardware_disable(void)
{
	const char *why;
	u64 walks;

	if (vcpu->vm->shadow_ops) {
		why = watched_walks(&walks);
		pr_info("# %lu walks of the guest's tables\n", walks);
		lab_result(TEST_WALKS, why);
	}
	lab_key("invlpg-exits", "%lu", invlpgs);
	lab_key("cr-exits", "%lu", crs);
	lab_key("fixed", "%lu", vcpu->mmu_outcomes[MMU_FIXED]);
	__real_vmx_hardware_disable();
}
