/* SPDX-License-Identifier: MIT */
/*
 * The command spt, and what stat tells about page faults: shadow page tables.
 */
#include "monitor/commands.h"
#include "vmm/shadow_ops.h"
#include "vmm/virt_ops.h"

static gva_t wanted; /* by the command that runs */

/* SDM: "4-Level Paging and 5-Level Paging". The bits are the same in all modes. */
static void print_entry(int level, hpa_t at, u64 entry, u64 gpte)
{
	if (!(entry & BIT(0)))
		row("level at entry", "  level %d at %lx: %016lx not present\n", level, at, entry);
	else
		row("level at entry gpte large? writable? user? no_execute?",
		    "  level %d at %lx: %016lx of %016lx%s%s%s%s\n", level, at, entry, gpte,
		    level > 1 && entry & BIT(7) ? " large page" : "",
		    entry & BIT(1) ? " writable" : "", entry & BIT(2) ? " user" : "",
		    entry & BIT(63) ? " no-execute" : "");
}

static void look_on(struct vcpu *vcpu)
{
	vcpu->vm->shadow_ops->each_entry(vcpu, wanted, print_entry);
}

const char *command_spt(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[2]);
	const char *why = parse_number("ADDR", args->word[1], 16, ~0ull, &wanted);

	if (why)
		return why;
	if (!vcpu)
		return NO_VCPU;
	if (!vcpu->vm->shadow_ops)
		return "there are no shadow page tables: the CPU uses EPT; ept=off at the boot "
		       "changes that";
	return on_vcpu(vcpu, look_on);
}

void tell_outcomes(const struct vcpu *vcpu)
{
	const u64 *n = vcpu->mmu_outcomes;

	if (!vcpu->vm->shadow_ops)
		return;
	row("vcpu fixed reflected emulated spurious",
	    "vCPU %u, page faults that exit: %lu fixed, %lu reflected, %lu emulated, %lu "
	    "spurious\n",
	    vcpu->id, n[MMU_FIXED], n[MMU_REFLECTED], n[MMU_EMULATED], n[MMU_SPURIOUS]);
}
