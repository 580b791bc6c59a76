/* SPDX-License-Identifier: MIT */
/*
 * Markers along the cycle. Each is a row of a table in the image, with the marker's address, file
 * and line; steps.def says what it is. A marker is not code: it costs nothing, until
 * monitor/tracer.c steps a CPU through the code and meets its address. In assembly: steps.inc.
 */
#ifndef GH_VMM_STEPS_H
#define GH_VMM_STEPS_H

#include "types.h"

enum step_id {
#define STEP_ROW(name, kvm_2_6_33, kvm_3_18, kvm_6_1, sdm, does) STEP_##name,
#include "vmm/steps.def"
#undef STEP_ROW
	NR_STEP_IDS
};

/* A marker. The compiler may make several of one, where it copies code. */
struct step {
	s32 at; /* the address of the instruction that follows; as the next two, from this field */
	s32 function, file; /* the names */
	u32 line;
	u32 id; /* enum step_id */
};
extern const struct step steps_start[], steps_end[]; /* in linker.ld */

static inline u64 step_address(const struct step *step)
{
	return (u64)&step->at + (u64)(s64)step->at;
}

static inline const char *step_function(const struct step *step)
{
	return (const char *)&step->function + step->function;
}

static inline const char *step_file(const struct step *step)
{
	return (const char *)&step->file + step->file;
}

/* Mark this place as the step @name of steps.def. It must have an instruction of its own: at the
 * end of an if, another way would lead to the same address. */
#define STEP(name) STEP_ASM("", name, )

/* The same for what happens once, at boot, which is recorded with its time. */
#define STEP_ONCE(name)                                                   \
	do {                                                              \
		u64 at_;                                                  \
		STEP_ASM("lea 661b(%%rip), %[at]", name, [at] "=r"(at_)); \
		step_record(at_);                                         \
	} while (0)

/* "inline": the compiler takes it for one instruction when it decides what to inline. */
#define STEP_ASM(code, name, ...)                                                \
	asm inline volatile("661: " code "\n\t.pushsection .steps, \"a\"\n\t"    \
			    ".long 661b - ., %c[function] - ., %c[file] - .\n\t" \
			    ".long %c[line], %c[id]\n\t.popsection"              \
			    : __VA_ARGS__                                        \
			    : [function] "i"(__func__), [file] "i"(__FILE__),    \
			      [line] "i"(__LINE__), [id] "i"(STEP_##name))

/* The first marker at the linear address @at; steps_end: there is none. */
const struct step *step_at(u64 at);

/* ---- What STEP_ONCE() has recorded ---- */

struct step_record {
	const struct step *step;
	u64 tsc; /* time-stamp counter */
	u32 cpu;
};

/* Record the marker at @at, on this CPU. Of each step the first 8 are kept. */
void step_record(u64 at);

/* Record number @i, in the order in which they happened; NULL: there are no more. */
const struct step_record *step_recorded(unsigned i);

#endif
