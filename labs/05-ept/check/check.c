/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 5. Before VM 0 gets its tables: each function by itself, and changes at random.
 * Before the guest's first instruction: INVEPT. Then a page of the guest's is watched, and at the
 * end it must have been seen.
 */
#include "labs/05-ept/check/parts.h"
#include "labs/05-ept/guest/touch.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "seed.h"
#include "vmm/memslot.h"
#include "vmm/room.h"
#include "vmm/view.h"
#include "vmm/vmx/vmx.h"

enum test {
	TEST_WALK = 1,
	TEST_LEAF,
	TEST_SPLIT,
	TEST_CHANGES,
	TEST_PROT,
	TEST_INVEPT,
	TEST_GUEST, /* the guest's own results */
	TEST_WATCH
};

/* SDM: "VM Instruction Error Numbers". */
#define INVALID_OPERAND_TO_INVEPT 28
#define UNSUPPORTED_COMPONENT     12

int __real_ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps);
int __wrap_ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps);
void __real_vmx_hardware_disable(void), __wrap_vmx_hardware_disable(void);

/* ---- 1 to 5 ---- */

/* The tables that a map of the student's needs, beside the root. */
static void tell_tables(void)
{
	const struct ept_caps caps = {.page_2m = true, .phys_bits = 46};
	struct ept ept;

	pool_begin(&ept, &caps);
	ept_map(&ept, LAB_MAP_START, LAB_MAP_START, LAB_MAP_SIZE, EPT_RWX, MEMTYPE_WB);
	lab_key("tables", "%u", pool.used - 1);
}

int __wrap_ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps)
{
	lab_result(TEST_WALK, check_walk());
	lab_result(TEST_LEAF, check_leaf());
	lab_result(TEST_SPLIT, check_split());
	lab_stop_if_failed();
	lab_result(TEST_CHANGES, check_changes());
	lab_result(TEST_PROT, check_prot());
	lab_stop_if_failed();
	return __real_ept_init(ept, ops, caps);
}

/* ---- 6: INVEPT ---- */

/*
 * An EPT pointer with reserved bits: INVEPT for it fails, and leaves a number in the VMCS, by which
 * one sees that it has been executed. Before, another instruction that fails leaves another number.
 */
#define RESERVED BIT(10)

static void forget_error(void)
{
	u64 value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"(0x7ffeull) : "cc", "memory");
}

static bool invept_executed(void)
{
	return vmread(VM_INSTRUCTION_ERROR) == INVALID_OPERAND_TO_INVEPT;
}

static const char *wrong_use(struct vcpu *vcpu, bool flush)
{
	u64 pointer = ept_pointer(&vcpu->vm->ept) | RESERVED;

	vmwrite(EPT_POINTER, ept_pointer(&vcpu->vm->ept));
	forget_error();
	vmx_use_tables(vcpu, pointer, flush);
	if (invept_executed() != flush)
		return flush ? "vmx_use_tables with flush: no INVEPT for the pointer that is given"
			     : "vmx_use_tables without flush: INVEPT, which is not needed";
	if (vmread(EPT_POINTER) != pointer)
		return "vmx_use_tables: EPT_POINTER in the VMCS is not the pointer that is given";
	return NULL;
}

/* A CPU that has INVEPT of all only: that does not fail, and leaves no number. */
static const char *wrong_without_single(struct vcpu *vcpu)
{
	bool has = vmcs_config.has_invept_single;

	vmcs_config.has_invept_single = false;
	forget_error();
	vmx_use_tables(vcpu, ept_pointer(&vcpu->vm->ept) | RESERVED, true);
	vmcs_config.has_invept_single = has;
	return invept_executed() && vmcs_config.has_invept_all
		       ? "without vmcs_config.has_invept_single: INVEPT of one pointer, which "
			 "this CPU does not have"
		       : NULL;
}

static const char *wrong_flush(struct vcpu *vcpu)
{
	u64 *root = vcpu->vm->ept.root;
	const char *why;

	vcpu->vm->ept.root = (u64 *)((u64)root | RESERVED);
	forget_error();
	vmx_flush_tlb(vcpu);
	why = invept_executed() ? NULL : "vmx_flush_tlb: no INVEPT for the VM's tables";
	vcpu->vm->ept.root = root;
	return why;
}

static const char *check_invept(struct vcpu *vcpu)
{
	const char *why = wrong_flush(vcpu);

	if (!why)
		why = wrong_use(vcpu, true);
	if (!why)
		why = wrong_use(vcpu, false);
	if (!why)
		why = wrong_without_single(vcpu);
	vmwrite(EPT_POINTER, ept_pointer(&vcpu->vm->ept));
	vmx_flush_all();
	return why;
}

/* ---- 8: the watched page ---- */

#define WORD (LAB_WATCHED + LAB_OFFSET)

static struct {
	unsigned writes;
	bool elsewhere;
	u64 value;
} seen;

static void accesses(struct vcpu *vcpu, const struct view_access *access)
{
	(void)vcpu;
	if (access->kind == EPT_W && access->gpa != WORD)
		seen.elsewhere = true;
}

static void ended(struct vcpu *vcpu, bool done)
{
	if (!done)
		return;
	seen.writes++;
	read_guest(vcpu->vm, WORD, &seen.value, sizeof(seen.value));
	pr_info("The guest has written %lx to %lx.\n", seen.value, (u64)WORD);
}

static const char *wrong_watch(void)
{
	if (!seen.writes)
		return "the guest's write to the watched page has not been seen";
	if (seen.writes > 1 || seen.elsewhere)
		return "other writes were seen than the one to the watched page";
	return seen.value == touch_value(WORD, LAB_SALT) ? NULL : "it had not the right value";
}

static void enter(void)
{
	static const struct view_watcher watcher = {accesses, ended};
	struct vcpu *vcpu = this_cpu()->vcpu;
	int r;

	lab_result(TEST_INVEPT, check_invept(vcpu));
	lab_stop_if_failed();
	lab_tell_markers();
	view_set_watcher(&watcher);
	r = view_watch(vcpu->vm, LAB_WATCHED, EPT_W, ~0u);
	if (r)
		pr_info("# view_watch: error %d\n", -r);
}

ROOM(.name = "lab", .enter = enter);

static void tell_entry(const char *key, gpa_t gpa)
{
	struct ept_mapping map;

	ept_walk(&this_cpu()->vcpu->vm->ept, gpa, &map);
	lab_key(key, "%lx", map.entry);
}

void __wrap_vmx_hardware_disable(void)
{
	lab_result(TEST_WATCH, wrong_watch());
	tell_tables();
	tell_entry("entry", LAB_ASKED);
	tell_entry("watched-entry", LAB_WATCHED);
	__real_vmx_hardware_disable();
}
