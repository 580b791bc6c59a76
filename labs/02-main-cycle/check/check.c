/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 2: the two macros, with random registers; and what the answers must be.
 */
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/symbols.h"
#include "vmm/room.h"
#include "vmm/vmx/vmx.h"

enum test { TEST_LOAD = 1, TEST_SAVE };

#define ROUNDS 100
#define NR     16
#define RSP    4
#define AROUND 16 /* words behind regs[], which nobody may change */

extern u64 lab_registers[NR], lab_word;
void lab_load(const u64 *vcpu), lab_save(u64 *vcpu);

int __real_vmx_hardware_setup(void), __wrap_vmx_hardware_setup(void);

static const char *const names[NR] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
				      "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
static u64 vcpu[NR + AROUND], before[NR + AROUND];

static void randomise(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(vcpu); i++)
		vcpu[i] = before[i] = lab_random();
	for (unsigned i = 0; i < NR; i++)
		lab_registers[i] = lab_random();
}

static const char *check_load(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		randomise();
		lab_load(vcpu);
		if (lab_registers[RSP])
			return "load_guest_registers has changed RSP";
		for (unsigned i = 0; i < NR; i++)
			if (i != RSP && lab_registers[i] != vcpu[i]) {
				pr_info("# %s is %lx, regs[%u] %lx\n", names[i], lab_registers[i],
					i, vcpu[i]);
				return "load_guest_registers: a register is not what the vCPU has";
			}
		for (unsigned i = 0; i < ARRAY_SIZE(vcpu); i++)
			if (vcpu[i] != before[i])
				return "load_guest_registers has changed the struct vcpu";
	}
	return NULL;
}

static const char *check_save(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		randomise();
		lab_save(vcpu);
		if (lab_registers[RSP] != 8)
			return "save_guest_registers has changed RSP";
		if (lab_word != (u64)vcpu)
			return "save_guest_registers has changed the word at 0(%rsp), which "
			       "vmx_run.S pops";
		for (unsigned i = 0; i < NR; i++)
			if (i != RSP && vcpu[i] != lab_registers[i]) {
				pr_info("# regs[%u] is %lx, %s was %lx\n", i, vcpu[i], names[i],
					lab_registers[i]);
				return "save_guest_registers: the vCPU does not get the register's "
				       "value";
			}
		for (unsigned i = 0; i < ARRAY_SIZE(vcpu); i++)
			if ((i == RSP || i >= NR) && vcpu[i] != before[i])
				return "save_guest_registers has changed something else in the "
				       "struct vcpu";
	}
	return NULL;
}

int __wrap_vmx_hardware_setup(void)
{
	lab_result(TEST_LOAD, check_load());
	lab_result(TEST_SAVE, check_save());
	lab_stop_if_failed();
	return __real_vmx_hardware_setup();
}

/* Right before the guest's first instruction. */
static void tell(void)
{
	u64 offset = 1;
	const char *name = symbol_lookup(vmread(HOST_RIP), &offset);

	lab_key("host-rip", "%s", name && !offset ? name : "?");
	lab_tell_markers();
}

ROOM(.name = "lab", .enter = tell);
