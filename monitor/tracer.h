/* SPDX-License-Identifier: MIT */
/*
 * Trace one cycle of a vCPU: from the top of the run loop through an entry and an exit to the top
 * again. The vCPU's CPU executes Glasshouse's code in single steps meanwhile (RFLAGS.TF), and each
 * marker (steps.h) that it meets is noted. Nothing of the code is changed, and nothing is left out;
 * but these cycles take a hundred times as long. The guest runs at full speed.
 */
#ifndef GH_MONITOR_TRACER_H
#define GH_MONITOR_TRACER_H

#include "vmm/recorder.h"
#include "vmm/steps.h"
#include "vmm/virt_ops.h"

#define TRACER_STEPS 48 /* steps that are kept; further ones are only counted */

#define STEP_KVMS 3 /* versions of KVM, the newest last */

/* A row of steps.def. */
struct step_words {
	const char *name;
	const char *kvm[STEP_KVMS], *sdm;
	const char *does;
};
extern const struct step_words step_words[NR_STEP_IDS];

/* Which cycle: the first whose exit is all that is named here. */
struct cycle_wanted {
	const char *reason;        /* the vendor's name; NULL: any that is the guest's */
	enum subject_kind subject; /* SUBJECT_NONE: any */
	bool has_value, has_rip;
	u64 value; /* of the subject */
	u64 rip;   /* the guest's, at the exit */
};

struct cycle_step {
	const struct step *step;
	/* Executed since the step before; those that read and write the control structure. */
	u32 instructions, reads, writes;
	u64 rip; /* the guest's, at step vmresume */
};

struct cycle {
	struct cycle_step steps[TRACER_STEPS];
	unsigned nr; /* may be larger than TRACER_STEPS */
	struct exit_record exit;
	struct exit_subject subject;
	u64 guest;    /* ticks of the time-stamp counter from the entry to the exit, about */
	u64 next_rip; /* the guest's, at the end of the cycle */
};

/*
 * Trace @vcpu, on its own CPU, until a cycle is as @wanted, which must stay valid. It begins here.
 * For one vCPU at a time.
 */
void tracer_start(struct vcpu *vcpu, const struct cycle_wanted *wanted);

/* Returns the cycle, or NULL as long as there is none. It stays until the next tracer_start(). */
const struct cycle *tracer_found(void);

/* Trace no more. From any CPU. */
void tracer_stop(void);

/* cycle_words.c: is an exit with this name of the reason, @subject and @rip wanted? @beat: it is
 * the heartbeat's.
 */
bool tracer_wants(const struct cycle_wanted *wanted, const char *reason,
		  const struct exit_subject *subject, u64 rip, bool ours);

#endif
