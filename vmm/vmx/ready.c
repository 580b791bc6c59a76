/* SPDX-License-Identifier: MIT */
/*
 * The report "Ready?" about a CPU's VT-x. See ready.h.
 */
#include "vmm/vmx/ready.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmm/vmx/vmxon_refusal.h"

#define REPORT_WIDTH  90
#define REPORT_INDENT 12

/* A paragraph under construction: a title and a list of words, separated by commas, broken into
 * lines. */
struct paragraph {
	char line[REPORT_WIDTH + 1];
	size_t len;
	bool first; /* no word yet */
	enum log_level level;
};

static void paragraph_begin(struct paragraph *p, enum log_level level, const char *title)
{
	p->level = level;
	p->len = (size_t)snprintf(p->line, sizeof(p->line), "  %-*s", REPORT_INDENT - 2, title);
	p->first = true;
}

/* Add text before the list, without a comma. */
static void paragraph_lead_in(struct paragraph *p, const char *words)
{
	strlcpy(p->line + p->len, words, sizeof(p->line) - p->len);
	p->len = strlen(p->line);
}

static void paragraph_add(struct paragraph *p, const char *word)
{
	size_t need = strlen(word) + 3; /* ", " before, "," after */

	if (!p->first && p->len + need > REPORT_WIDTH) {
		printk(p->level, "%s,\n", p->line);
		p->len = (size_t)snprintf(p->line, sizeof(p->line), "%*s", REPORT_INDENT, "");
		p->first = true;
	}
	snprintf(p->line + p->len, sizeof(p->line) - p->len, "%s%s", p->first ? "" : ", ", word);
	p->len = strlen(p->line);
	p->first = false;
}

static void paragraph_end(struct paragraph *p)
{
	if (!p->first)
		printk(p->level, "%s\n", p->line);
}

static bool is_required(const struct vmx_control *c)
{
	return c->policy == POLICY_REQUIRED || c->policy == POLICY_DYNAMIC_REQUIRED;
}

/* Is an earlier control of the same name in the same list? */
static bool listed_before(const struct vmx_capability *cap, const struct vmx_control *c)
{
	for (const struct vmx_control *e = vmx_controls; e < c; e++) {
		if (vmx_is_used(e) && is_required(e) == is_required(c) &&
		    vmx_can(cap, e) == vmx_can(cap, c) && strcmp(e->name, c->name) == 0)
			return true;
	}
	return false;
}

/*
 * Print the names of the controls that are @required, or optional, and that the CPU @has, or lacks.
 * Of the latter only those without a loss, at debug level.
 */
static void list_controls(const struct vmx_capability *cap, const char *title, bool required,
			  bool has)
{
	struct paragraph p;

	paragraph_begin(&p, has ? LOG_INFO : LOG_DEBUG, title);
	if (!has)
		paragraph_lead_in(&p, "for features that this CPU lacks, too: ");
	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];

		if (!vmx_is_used(c) || is_required(c) != required || vmx_can(cap, c) != has ||
		    listed_before(cap, c) || (!has && c->loss[0]))
			continue;
		paragraph_add(&p, c->name);
	}
	paragraph_end(&p);
}

/* Does the CPU lack an earlier control with the same loss? */
static bool loss_listed_before(const struct vmx_capability *cap, const struct vmx_control *c)
{
	for (const struct vmx_control *e = vmx_controls; e < c; e++) {
		if (e->loss && !vmx_can(cap, e) && strcmp(e->loss, c->loss) == 0)
			return true;
	}
	return false;
}

/* Print a line with the loss for each optional control that the CPU lacks. */
static void list_losses(const struct vmx_capability *cap)
{
	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];

		if (!vmx_is_used(c) || is_required(c) || vmx_can(cap, c) || !c->loss[0] ||
		    loss_listed_before(cap, c))
			continue;
		pr_info("  Lacks     %s: %s\n", c->name, c->loss);
	}
}

static void describe_ept(const struct vmcs_config *config)
{
	struct paragraph p;

	paragraph_begin(&p, LOG_INFO, "EPT");
	paragraph_add(&p, "4 KiB pages");
	if (config->has_ept_2m)
		paragraph_add(&p, "2 MiB pages");
	if (config->has_ept_1g)
		paragraph_add(&p, "1 GiB pages");
	if (config->has_ept_ad)
		paragraph_add(&p, "accessed and dirty flags");
	if (config->has_ept_exec_only)
		paragraph_add(&p, "execute-only");
	if (config->has_invept_single)
		paragraph_add(&p, "INVEPT of one context");
	if (config->has_invept_all)
		paragraph_add(&p, "INVEPT of all");
	if (config->has_invvpid_single)
		paragraph_add(&p, "INVVPID of one context");
	if (config->has_invvpid_all)
		paragraph_add(&p, "INVVPID of all");
	paragraph_end(&p);
}

/* Check that VMXON is possible, and print the result. Returns 0 or -ENODEV. */
static int report_vtx(const struct vmx_capability *cap)
{
	u64 fc = cap->feature_control;
	char why[VMXON_REFUSAL_SIZE];

	if (!can_enter_vmx(cap->cpuid_vmx, fc, why)) {
		pr_err("%s", why);
		return -ENODEV;
	}
	pr_info("  VT-x      VMCS revision 0x%x of %u bytes, %u physical-address bits\n",
		VMX_BASIC_REVISION(cap->basic), VMX_BASIC_VMCS_SIZE(cap->basic), cap->phys_bits);
	pr_info("  Firmware  IA32_FEATURE_CONTROL 0x%lx: locked, VMXON allowed\n", fc);
	return 0;
}

/* Which tables translate the guest's memory. */
static void describe_memory(const struct vmcs_config *config)
{
	bool asked = config->no_ept && strcmp(config->no_ept, "ept=off") == 0;

	if (config->has_ept)
		describe_ept(config);
	else
		pr_info("  Memory    shadow page tables%s%s\n"
			"            Page faults and changes of page tables exit.\n",
			asked ? ", as ept=off asks for" : ": the CPU lacks ",
			asked ? "" : config->no_ept);
}

int ready_report(const struct vmx_capability *cap, bool use_ept, struct vmcs_config *config,
		 const char *brand, unsigned cpu)
{
	int ret;

	pr_info("Ready? CPU %u: %s\n", cpu, brand && brand[0] ? brand : "(no brand string)");
	ret = report_vtx(cap);
	if (ret == 0) {
		list_controls(cap, "Required", true, true);
		list_controls(cap, "Optional", false, true);
		list_losses(cap);
		list_controls(cap, "Absent", false, false);
		ret = setup_vmcs_config(cap, use_ept, config);
		describe_memory(config);
	}
	if (ret == 0)
		pr_info("  Ready     yes: the CPU has all required features\n");
	else
		pr_err("  Ready     NO: CPU %u cannot run Glasshouse, for the reasons above\n",
		       cpu);
	return ret;
}
