// SPDX-License-Identifier: MIT
/*
 * Kicks whose NMI is lost, because the CPU does not take NMIs at the time: afterwards the next NMI
 * is the guest's, and the next kick is sent.
 */
#include "tests/unit/stubs.h"

#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/x86/percpu.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

struct virt_ops virt_ops;
struct trap_frame;

static unsigned sent, guest_nmis, immediate_exits;
static bool sender_has_apic;
static struct cpu here, there;
static struct vcpu vcpu;

bool smp_send_nmi(const struct cpu *cpu);
bool smp_send_nmi(const struct cpu *cpu)
{
	assert_ptr_equal(cpu, vcpu.cpu);
	sent += sender_has_apic;
	return sender_has_apic;
}

void vcpu_set_mp_state(struct vcpu *v, enum mp_state state)
{
	v->mp_state = state;
}

static void guest_nmi(struct vcpu *v)
{
	(void)v;
	guest_nmis++;
}

static void request_immediate_exit(struct vcpu *v)
{
	(void)v;
	immediate_exits++;
}

static int setup(void **state)
{
	static const struct vm_ops ops = {.nmi = guest_nmi};
	static struct vm vm = {.ops = &ops};

	(void)state;
	here.self = &here;
	syscall(SYS_arch_prctl, ARCH_SET_GS, &here); /* this_cpu() */
	vcpu = (struct vcpu){.vm = &vm, .cpu = &there};
	there.vcpu = &vcpu;
	virt_ops = (struct virt_ops){.request_immediate_exit = request_immediate_exit};
	sent = guest_nmis = immediate_exits = 0;
	sender_has_apic = true;
	return 0;
}

static void one_kick_is_one_nmi(void **state)
{
	(void)state;
	vcpu_make_request(&vcpu, REQ_EVENT);
	vcpu_make_request(&vcpu, REQ_PAUSE);
	assert_int_equal(vcpu.requests, REQ_EVENT | REQ_PAUSE);
	assert_int_equal(sent, 1);
	vcpu_nmi(&vcpu);
	assert_int_equal(guest_nmis, 0);
	assert_int_equal(vcpu.kicked_by, VM_MAX_VCPUS + 1);
	vcpu_nmi(&vcpu);
	assert_int_equal(guest_nmis, 1);
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 2);
}

static void what_could_not_be_sent_is_no_kick(void **state)
{
	(void)state;
	sender_has_apic = false;
	vcpu_make_request(&vcpu, REQ_EVENT);
	assert_int_equal(vcpu.requests, REQ_EVENT);
	vcpu_nmi(&vcpu);
	assert_int_equal(guest_nmis, 1);
}

static void a_lost_kick_ends(void **state)
{
	(void)state;
	vcpu_kick(&vcpu);
	vcpu_end_kick(&vcpu);
	assert_int_equal(immediate_exits, 1);
	vcpu_nmi(&vcpu);
	assert_int_equal(guest_nmis, 1);
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 2);
}

static void a_kick_that_arrived_needs_no_exit(void **state)
{
	(void)state;
	vcpu_kick(&vcpu);
	vcpu_nmi(&vcpu);
	vcpu_end_kick(&vcpu);
	assert_int_equal(immediate_exits + guest_nmis, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_kick_is_one_nmi, setup),
		cmocka_unit_test_setup(what_could_not_be_sent_is_no_kick, setup),
		cmocka_unit_test_setup(a_lost_kick_ends, setup),
		cmocka_unit_test_setup(a_kick_that_arrived_needs_no_exit, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
