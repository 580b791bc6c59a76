/* SPDX-License-Identifier: MIT */
/*
 * gdb's breakpoints and watchpoints. See breakpoints.h.
 */
#include "arch/x86/cpu.h"
#include "monitor/gdb/breakpoints.h"
#include "vmm/debug_registers.h"
#include "vmm/exception.h"
#include "vmm/vcpu.h"
#include "vmm/view.h"
#include "vmm/vm.h"
#include "vmm/x86/guest_mem.h"

/* What of a #DB's reasons makes one: B0 to B3, BD, BS. */
#define REASONS (DR6_BREAKPOINTS | DR6_BD | DR6_BS)

#define INT3        0xcc
#define MAX_PATCHES 64u

/* A software breakpoint. */
struct patch {
	bool used;
	u64 address; /* linear, as gdb knows it */
	gpa_t gpa;
};

static struct vm *machine;
static void (*stop)(struct vcpu *vcpu, enum stop_kind kind, u64 address);
static struct patch patches[MAX_PATCHES];
static struct debug_point points[DEBUG_REGISTERS];
static enum breakpoint_type types[DEBUG_REGISTERS]; /* of the points, for gdb */

static const struct {
	u8 kind; /* enum debug_kind */
	u8 stop; /* enum stop_kind */
} kinds[NR_BREAKPOINT_TYPES] = {
	[BREAK_SOFTWARE] = {DEBUG_EXECUTE, STOP_SOFTWARE},
	[BREAK_HARDWARE] = {DEBUG_EXECUTE, STOP_HARDWARE},
	[WATCH_WRITE] = {DEBUG_WRITE, STOP_WRITE},
	[WATCH_READ] = {DEBUG_ACCESS, STOP_READ},
	[WATCH_ACCESS] = {DEBUG_ACCESS, STOP_ACCESS},
};

/* ---- Software breakpoints: INT3 in what the guest executes, not in what it
 * reads ---- */

/* Returns the patch at @address, or a free one if that is NULL; NULL: none. */
static struct patch *find_patch(const u64 *address)
{
	for (unsigned i = 0; i < MAX_PATCHES; i++)
		if (address ? patches[i].used && patches[i].address == *address : !patches[i].used)
			return &patches[i];
	return NULL;
}

static bool is_patched(gpa_t gpa)
{
	for (unsigned i = 0; i < MAX_PATCHES; i++)
		if (patches[i].used && patches[i].gpa == gpa)
			return true;
	return false;
}

/* Returns false where the page is not mapped now, or the CPU has no
 * execute-only pages. */
static bool insert_patch(u64 address, const gpa_t *gpa)
{
	struct patch *patch = find_patch(&address);

	if (patch)
		return true;
	patch = find_patch(NULL);
	if (!patch || !gpa || (!is_patched(*gpa) && view_patch(machine, *gpa, INT3)))
		return false;
	*patch = (struct patch){.used = true, .address = address, .gpa = *gpa};
	return true;
}

/* The page may have another linear address, with a breakpoint there, too. */
static void remove_patch(struct patch *patch)
{
	patch->used = false;
	if (!is_patched(patch->gpa))
		view_unpatch(machine, patch->gpa);
}

/*
 * RIP is that of the INT3. The page may have another linear address, in another process for
 * example, where gdb knows of no breakpoint: there the guest executes its own byte. If that is an
 * INT3, too, the exception is the guest's.
 */
static enum exception_verdict breakpoint_exception(struct vcpu *vcpu,
						   const struct exception *exception)
{
	u64 rip = virt->get_sysreg(vcpu, SYSREG_RIP), address;
	struct segment cs;
	u8 own = 0;
	gpa_t gpa;

	guest_segment(vcpu, SEG_CS, &cs);
	address = cs.base + rip;
	if (exception->type != EVENT_SOFT_EXCEPTION || exception->insn_len != 1 ||
	    guest_physical(vcpu, address, &gpa) || !is_patched(gpa))
		return EXCEPTION_REFLECT;
	if (find_patch(&address)) {
		stop(vcpu, STOP_SOFTWARE, rip);
		return EXCEPTION_KEEP;
	}
	if (read_guest_virt(vcpu, address, &own, 1) || own == INT3)
		return EXCEPTION_REFLECT;
	view_skip_patch(vcpu, gpa);
	return EXCEPTION_KEEP;
}

/* ---- The debug registers ---- */

/* A #DB: gdb's part of it stops the vCPU; the guest gets its own part when it
 * goes on. */
static enum exception_verdict debug_exception(struct vcpu *vcpu, const struct exception *exception)
{
	const struct debug_point *hit;
	struct exception own = *exception;

	if (exception->type != EVENT_EXCEPTION)
		return EXCEPTION_REFLECT;
	own.payload = debug_guest_reasons(&vcpu->debug, points, exception->payload, &hit);
	if (hit) {
		vcpu->debug.owed = own.payload & REASONS ? own.payload : 0;
		stop(vcpu, (enum stop_kind)kinds[types[hit - points]].stop, hit->address);
		return EXCEPTION_KEEP;
	}
	if (own.payload & REASONS)
		reflect_exception(vcpu, &own);
	return EXCEPTION_KEEP;
}

/* The instruction's length, which gdb gives for breakpoints, does not matter.
 */
static bool make_point(enum breakpoint_type type, u64 address, u64 length,
		       struct debug_point *point)
{
	if (type >= NR_BREAKPOINT_TYPES)
		return false;
	*point = (struct debug_point){
		.used = true, .kind = kinds[type].kind, .length = (u8)length, .address = address};
	if (point->kind == DEBUG_EXECUTE) {
		point->length = 1;
		return true;
	}
	return (length == 1 || length == 2 || length == 4 || length == 8) &&
	       !(address & (length - 1));
}

/* Returns the number of the point that is like @point, or of a free one if that
 * is NULL; DEBUG_REGISTERS: none. */
static unsigned find(enum breakpoint_type type, const struct debug_point *point)
{
	unsigned i = 0;

	while (i < DEBUG_REGISTERS &&
	       (point ? !points[i].used || types[i] != type || points[i].length != point->length ||
				points[i].address != point->address
		      : points[i].used))
		i++;
	return i;
}

/* Make @point, and look for one like it. Returns its number; DEBUG_REGISTERS: there is none; -1:
 * there cannot be one. */
static int find_like(enum breakpoint_type type, u64 address, u64 length, struct debug_point *point)
{
	return make_point(type, address, length, point) ? (int)find(type, point) : -1;
}

static bool insert_point(enum breakpoint_type type, u64 address, u64 length)
{
	struct debug_point point;
	int like = find_like(type, address, length, &point);
	unsigned i = find(type, NULL);

	if (like != (int)DEBUG_REGISTERS)
		return like >= 0;
	if (i == DEBUG_REGISTERS)
		return false;
	points[i] = point;
	types[i] = type;
	return true;
}

static bool remove_point(enum breakpoint_type type, u64 address, u64 length)
{
	struct debug_point point;
	int i = find_like(type, address, length, &point);

	if (i < 0 || i == (int)DEBUG_REGISTERS)
		return false;
	points[i].used = false;
	return true;
}

/* ---- Both ---- */

static enum exception_verdict owner(struct vcpu *vcpu, const struct exception *exception)
{
	return exception->vector == BP_VECTOR ? breakpoint_exception(vcpu, exception)
					      : debug_exception(vcpu, exception);
}

void breakpoints_init(struct vm *vm,
		      void (*stops)(struct vcpu *vcpu, enum stop_kind kind, u64 address))
{
	machine = vm;
	stop = stops;
	set_exception_owner(EXCEPTIONS_GDB, owner);
}

bool breakpoint_insert(enum breakpoint_type type, u64 address, u64 length, const gpa_t *gpa)
{
	if (type == BREAK_SOFTWARE && insert_patch(address, gpa))
		return true;
	return insert_point(type, address, length);
}

bool breakpoint_remove(enum breakpoint_type type, u64 address, u64 length)
{
	struct patch *patch = type == BREAK_SOFTWARE ? find_patch(&address) : NULL;

	if (!patch)
		return remove_point(type, address, length);
	remove_patch(patch);
	return true;
}

void breakpoints_remove_all(void)
{
	for (unsigned i = 0; i < MAX_PATCHES; i++)
		if (patches[i].used)
			remove_patch(&patches[i]);
	for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
		points[i].used = false;
}

void breakpoints_load(struct vcpu *vcpu)
{
	u64 owed = vcpu->debug.owed;
	u32 vectors = 0;

	for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
		if (points[i].used)
			vectors |= BIT(DB_VECTOR);
	for (unsigned i = 0; i < MAX_PATCHES; i++)
		if (patches[i].used)
			vectors |= BIT(BP_VECTOR);
	intercept_exceptions(vcpu, EXCEPTIONS_GDB, vectors);
	debug_load(vcpu, points);
	vcpu->debug.owed = 0;
	if (owed)
		reflect_exception(vcpu, &(struct exception){.vector = DB_VECTOR,
							    .type = EVENT_EXCEPTION,
							    .payload = owed});
}
