/* SPDX-License-Identifier: MIT */
/*
 * Creation of VM 0, its vm_ops, and running it. See create.h.
 */
#include "vmm/vm0/create.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/trap.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "vmm/event.h"
#include "vmm/trace_stat.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/ferr.h"
#include "vmm/vm0/hypercall.h"
#include "vmm/vm0/icr.h"
#include "vmm/vm0/kbc.h"
#include "vmm/vm0/leave.h"
#include "vmm/vm0/mcheck.h"
#include "vmm/vm0/microcode.h"
#include "vmm/vm0/msr.h"
#include "vmm/vm0/ports.h"
#include "vmm/vm0/power.h"
#include "vmm/x86/start.h"

/* INIT of the guest. */
static enum mp_state vm0_init(struct vcpu *vcpu)
{
	/* The boot CPU does not wait: it starts at the reset vector. SDM: "MP Initialization
	 * Protocol Algorithm". */
	if (rdmsr(MSR_IA32_APICBASE) & APICBASE_BSP) {
		vm0_boot_cpu_init(vcpu);
		return MP_STATE_RUNNABLE;
	}
	/* While the ICR is trapped, Glasshouse delivers the SIPI. Otherwise the hardware does: it
	 * reaches the vCPU only in the wait-for-SIPI state. A SIPI may follow soon: no call. */
	if (icr_is_trapped(to_vm0(vcpu->vm)) && icr_vcpu_stops(vcpu))
		return MP_STATE_INIT_RECEIVED;
	lapic_disable();
	return MP_STATE_WAIT_FOR_SIPI;
}

/* The guest's INIT does not reach the machine's local APIC, so software resets that. */
static void vm0_reset(struct vcpu *vcpu)
{
	lapic_init_reset();
	icr_apic_reset(vcpu);
}

/* The machine's NMIs go to the guest, except the one that leave.c sends to its own CPU. */
static void vm0_nmi(struct vcpu *vcpu)
{
	leave_on_nmi(vcpu);
	queue_nmi(vcpu);
}

static int vm0_request(struct vcpu *vcpu, u32 requests)
{
	return requests & REQ_LEAVE ? leave_request(vcpu) : 1;
}

const struct vm_ops vm0_ops = {
	.name = "VM 0",
	.page_fault = vm0_page_fault,
	.keeps_page = vm0_keeps_page,
	.pio = vm0_pio,
	.rdmsr = vm0_rdmsr,
	.wrmsr = vm0_wrmsr,
	.hypercall = vm0_hypercall,
	.init = vm0_init,
	.reset = vm0_reset,
	.started = icr_vcpu_started,
	.nmi = vm0_nmi,
	.fpu_error = ferr_assert,
	.machine_check = deliver_machine_check,
	.triple_fault = vm0_triple_fault,
	.invalid_state = vm0_invalid_state,
	.request = vm0_request,
};

static bool runs_guest(const struct cpu *cpu)
{
	return cpu->online && (!cpu->parked || cpu->firmware);
}

/* Allocate the rings of the exits of all vCPUs, and say in *@range where they are. */
static int create_rings(struct vm0 *vm0, u32 records, struct mem_range *range)
{
	u64 size = 0;
	struct cpu *cpu;

	for_each_cpu (cpu)
		if (runs_guest(cpu))
			size += trace_ring_bytes(records);
	vm0->rings = pages_alloc(size / PAGE_SIZE);
	if (!vm0->rings)
		return -ENOMEM;
	vm0->trace_records = records;
	*range = (struct mem_range){virt_to_phys(vm0->rings), size, MEM_RESERVED};
	return 0;
}

static struct trace_ring *ring_of(const struct vm0 *vm0, unsigned vcpu)
{
	return (struct trace_ring *)((char *)vm0->rings +
				     vcpu * trace_ring_bytes(vm0->trace_records));
}

static int create_vcpus(struct vm *vm)
{
	const struct vm0 *vm0 = to_vm0(vm);
	struct trace_ring *ring;
	struct cpu *cpu;

	for_each_cpu (cpu) {
		if (!runs_guest(cpu))
			continue;
		cpu->vcpu = create_vcpu(vm, cpu);
		if (!cpu->vcpu)
			return -ENOMEM;
		ring = ring_of(vm0, cpu->vcpu->id);
		trace_ring_init(ring, vm0->trace_records, cpu->vcpu->id, cpu->apic_id);
		recorder_init(&cpu->vcpu->recorder, ring);
		icr_apic_reset(cpu->vcpu);
	}
	return 0;
}

static struct vm *cannot_create(const char *what, int error)
{
	pr_err("VM 0: %s failed (error %d): a defect of Glasshouse. Please report it.\n", what,
	       -error);
	return NULL;
}

#define TABLE_PAGES 64 /* for the tables that the guest's accesses need */

/* Room for the longest update where that leaves enough of the heap; else half of what is left. */
static int keep_microcode_room(struct vm0 *vm0)
{
	size_t left = pages_left(), longest = MICROCODE_MAX / PAGE_SIZE;
	size_t pages = left >= longest + TABLE_PAGES ? longest : MIN(left / 2, longest);

	vm0->microcode_room = pages * PAGE_SIZE;
	vm0->microcode_copy = pages_alloc(pages);
	return vm0->microcode_copy ? 0 : -ENOMEM;
}

struct vm *vm0_create(const struct vm0_config *config)
{
	struct vm *vm = create_vm(&vm0_ops, sizeof(struct vm0));
	struct vm0 *vm0 = to_vm0(vm);
	struct vm0_memory memory = config->memory;
	int r;

	if (!vm)
		return cannot_create("creating the VM", -ENOMEM);
	vm0->acpi = config->acpi;
	vm0->bios = config->bios;
	if (config->intercept_pf)
		vm0->vm.icepts.exceptions = BIT(PF_VECTOR);
	r = create_rings(vm0, config->trace_records, &memory.trace);
	if (r)
		return cannot_create("creating its flight recorder", r);
	r = vm0_memory_init(vm0, &memory);
	if (r)
		return cannot_create("giving it memory", r);
	r = create_vcpus(vm);
	if (r)
		return cannot_create("creating its vCPUs", r);
	vm0_msr_init(vm);
	r = kbc_init(vm0);
	if (!r)
		r = ferr_init(vm0);
	if (!r)
		r = power_init(vm0);
	if (r)
		return cannot_create("watching ports", r);
	r = icr_trap(vm0, config->keep_icr_trap);
	if (r)
		return cannot_create("trapping the ICR", r);
	r = keep_microcode_room(vm0);
	if (r)
		return cannot_create("keeping memory for microcode updates", r);
	mc_handler = machine_check;
	return vm;
}

static int load_vcpu(struct vcpu *vcpu)
{
	int r = virt->hardware_enable();

	if (!r)
		r = virt->vcpu_load(vcpu);
	if (r)
		return r;
	virt->vcpu_reset(vcpu, false);
	if (vcpu->cpu->firmware) {
		start_firmware_state(vcpu, vcpu->cpu->firmware);
		vcpu_set_mp_state(vcpu, MP_STATE_RUNNABLE);
	}
	return 0;
}

int vm0_load_boot_vcpu(struct vm *vm)
{
	int r = load_vcpu(vm->vcpus[0]);

	if (!r)
		vcpu_set_mp_state(vm->vcpus[0], MP_STATE_RUNNABLE);
	return r;
}

static void run_vcpu(struct vcpu *vcpu)
{
	if (vcpu_run(vcpu) < 0)
		panic("the guest cannot continue");
	virt->hardware_disable();
}

void vm0_run_cpu(struct vcpu *vcpu)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);

	if (load_vcpu(vcpu)) {
		__atomic_add_fetch(&vm0->nr_failed, 1, __ATOMIC_RELEASE);
		return;
	}
	__atomic_add_fetch(&vm0->nr_loaded, 1, __ATOMIC_RELEASE);
	run_vcpu(vcpu);
}

int vm0_wait_loaded(struct vm *vm)
{
	struct vm0 *vm0 = to_vm0(vm);

	while (__atomic_load_n(&vm0->nr_loaded, __ATOMIC_ACQUIRE) < vm->nr_vcpus - 1) {
		if (__atomic_load_n(&vm0->nr_failed, __ATOMIC_ACQUIRE))
			return -EIO;
		cpu_relax();
	}
	return 0;
}

void vm0_run(struct vm *vm)
{
	icr_vcpu_started(vm->vcpus[0]);
	run_vcpu(vm->vcpus[0]);
}
