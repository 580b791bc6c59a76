# SPDX-License-Identifier: MIT
"""What the labs' own tests need: the functions that are holes, and solutions that are wrong in one place."""
from dataclasses import dataclass


@dataclass
class Hole:
    """A function that the student writes, and the test that is the first to fail while it is a stub."""

    test: int
    file: str
    function: str


@dataclass
class Mutant:
    """A solution with one mistake: in `file`, `old` is `new`; and the test that is the first to find it."""

    test: int
    name: str
    file: str
    old: str
    new: str


HOLES = {
    1: [
        Hole(1, "vmm/vmx/adjust.c", "adjust_vmx_controls"),
        Hole(2, "vmm/vmx/adjust.c", "vmx_lock_feature_control"),
        Hole(3, "vmm/vmx/operation.c", "cpu_vmxon"),
        Hole(4, "vmm/vmx/operation.c", "vmcs_load"),
        Hole(5, "vmm/vmx/vmx_enter.inc", "vm_enter"),
        Hole(7, "vmm/vmx/operation.c", "cpu_vmxoff"),
    ],
    2: [
        Hole(1, "vmm/vmx/vmx_registers.inc", "load_guest_registers"),
        Hole(2, "vmm/vmx/vmx_registers.inc", "save_guest_registers"),
    ],
    3: [
        Hole(1, "vmm/vmx/page_fault.h", "is_page_fault"),
        Hole(2, "vmm/vmx/page_fault.h", "ept_violation_fault"),
        Hole(3, "vmm/vmx/exceptions.c", "vmx_load_exceptions"),
        Hole(4, "vmm/reflect.c", "reflect_exception"),
    ],
    4: [
        Hole(1, "vmm/vmx/skip.h", "vmx_skip_to"),
        Hole(2, "vmm/vmx/skip.c", "vmx_end_instruction"),
        Hole(3, "vmm/x86/rdmsr.h", "emulate_rdmsr"),
        Hole(4, "vmm/x86/rdmsr.h", "edx_eax"),
        Hole(4, "vmm/x86/rdmsr.h", "emulate_wrmsr"),
        Hole(5, "vmm/x86/io.c", "assign_register"),
        Hole(6, "vmm/x86/io.c", "emulate_pio"),
        Hole(7, "vmm/x86/cpuid_mask.c", "cpuid_mask"),
        Hole(8, "vmm/x86/cpuid_exits.c", "cpuid_exits"),
    ],
    5: [
        Hole(1, "ept/walk.c", "ept_last_entry"),
        Hole(2, "ept/leaf.c", "ept_new_leaf"),
        Hole(3, "ept/leaf.c", "ept_split"),
        Hole(4, "ept/change.c", "change_entry"),
        Hole(5, "ept/prot.c", "ept_prot_below"),
        Hole(6, "vmm/vmx/tlb.c", "vmx_flush_tlb"),
        Hole(6, "vmm/vmx/tlb.c", "vmx_use_tables"),
    ],
    6: [
        Hole(1, "vmm/nmi.c", "queue_nmi"),
        Hole(2, "vmm/nmi.c", "deliver_nmi"),
        Hole(3, "vmm/vmx/blocking.c", "vmx_nmi_allowed"),
        Hole(4, "vmm/vmx/blocking.c", "vmx_enable_nmi_window"),
        Hole(5, "vmm/vmx/blocking.c", "handle_window"),
        Hole(6, "vmm/vmx/event.c", "vmx_inject_event"),
        Hole(7, "vmm/vmx/event.c", "redeliver"),
        Hole(8, "vmm/vmx/event.c", "vmx_complete_event"),
        Hole(9, "vmm/vmx/blocking.c", "vmx_set_nmi_blocking"),
        Hole(10, "vmm/vmx/blocking.c", "vmx_block_nmis_again"),
    ],
    7: [
        Hole(1, "arch/x86/halt_until.inc", "wait_for_flag"),
        Hole(2, "vmm/kick.c", "vcpu_kick"),
        Hole(3, "vmm/kick.c", "vcpu_make_request"),
        Hole(4, "vmm/kick.c", "vcpu_nmi"),
        Hole(5, "vmm/kick.c", "vcpu_root_nmi"),
        Hole(6, "vmm/init_sipi.c", "vcpu_deliver_init"),
        Hole(6, "vmm/init_sipi.c", "vcpu_deliver_sipi"),
        Hole(7, "vmm/init_sipi.c", "handle_init"),
        Hole(8, "vmm/init_sipi.c", "handle_sipi"),
        Hole(9, "labs/07-other-cpus/check/kick_test.c", "test_kick"),
    ],
    8: [
        Hole(1, "vmm/x86/guest_walk.c", "find_leaf"),
        Hole(2, "vmm/x86/guest_rights.h", "access_error"),
        Hole(3, "vmm/x86/guest_rights.h", "may_access"),
        Hole(4, "vmm/x86/guest_walk.c", "mark_accessed"),
        Hole(5, "shadow/leaf.c", "leaf_rights"),
        Hole(6, "shadow/leaf.c", "rights"),
        Hole(6, "shadow/leaf.c", "make_spte"),
        Hole(7, "shadow/fix.c", "fix_choose"),
        Hole(8, "shadow/fix.c", "fix_map"),
    ],
}

MUTANTS = {
    1: [
        Mutant(1, "no-default1", "vmm/vmx/adjust.c", "((min | opt) & may) | must", "((min | opt) & may) | (must & min)"),
        Mutant(1, "opt-is-missed", "vmm/vmx/adjust.c", "return min & ~may", "return (min | opt) & ~may"),
        Mutant(2, "no-lock", "vmm/vmx/adjust.c", "cap->feature_control | FEAT_CTL_LOCKED |", "cap->feature_control |"),
        Mutant(2, "forgets-lmce", "vmm/vmx/adjust.c", "value = cap->feature_control | FEAT_CTL", "value = FEAT_CTL"),
        Mutant(3, "no-vmxe", "vmm/vmx/operation.c", "	write_cr4((read_cr4() | vmx_capability.cr4_fixed0) & "
               "vmx_capability.cr4_fixed1);\n", ""),
        Mutant(4, "no-vmclear", "vmm/vmx/operation.c", "	r = vmclear(pa);", "	r = 0;"),
        Mutant(4, "clear-after-load", "vmm/vmx/operation.c", "	return vmptrld(pa);", "	return vmptrld(pa) ?: vmclear(pa);"),
        Mutant(5, "launch-first", "vmm/vmx/vmx_enter.inc", "	vmresume\n", "	vmlaunch\n	vmresume\n"),
        Mutant(6, "rax-is-lost", "vmm/vmx/vmx_enter.inc", "	vmresume\n", "	xorl %eax, %eax\n	vmresume\n"),
        Mutant(7, "no-vmclear-at-the-end", "vmm/vmx/operation.c", "	if (pa)\n		vmclear(pa);\n", "	(void)pa;\n"),
        Mutant(7, "vmxe-stays", "vmm/vmx/operation.c", "	write_cr4(read_cr4() & ~CR4_VMXE);\n", ""),
    ],
    2: [
        Mutant(1, "wrong-order", "vmm/vmx/vmx_registers.inc", "	movq RBP(%rdi), %rbp\n	movq RSI(%rdi), %rsi\n",
               "	movq RSI(%rdi), %rbp\n	movq RBP(%rdi), %rsi\n"),
        Mutant(1, "rdi-not-last", "vmm/vmx/vmx_registers.inc", "	movq R15(%rdi), %r15\n	movq RDI(%rdi), %rdi\n",
               "	movq RDI(%rdi), %rdi\n	movq R15(%rdi), %r15\n"),
        Mutant(1, "no-r15", "vmm/vmx/vmx_registers.inc", "	movq R15(%rdi), %r15\n", ""),
        Mutant(2, "rdi-lost", "vmm/vmx/vmx_registers.inc", "	popq RDI(%rdi)", "	popq %rdi"),
        Mutant(2, "wrong-pop", "vmm/vmx/vmx_registers.inc", "	popq RDI(%rdi)", "	popq RSI(%rdi)"),
        Mutant(2, "rsp-in-its-place", "vmm/vmx/vmx_registers.inc", "	movq %rbp, RBP(%rdi)\n",
               "	movq %rbp, RBP(%rdi)\n	movq %rsp, 4*8(%rdi)\n"),
    ],
    3: [
        Mutant(1, "vector-only", "vmm/vmx/page_fault.h", "(INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)) ==\n"
               "	       (INTR_TYPE_HARD_EXCEPTION | PF_VECTOR)", "INTR_INFO_VECTOR_MASK) == PF_VECTOR"),
        Mutant(2, "every-access-is-a-walk", "vmm/vmx/page_fault.h",
               "(qual & (EPT_VIOLATION_GVA_IS_VALID | EPT_VIOLATION_GVA_TRANSLATED)) ==\n			 EPT_VIOLATION_GVA_IS_VALID",
               "!(qual & EPT_VIOLATION_GVA_TRANSLATED)"),
        Mutant(2, "write-is-missed", "vmm/vmx/page_fault.h", "qual & EPT_VIOLATION_ACC_WRITE", "qual & 1 && 0"),
        Mutant(3, "filter-stays", "vmm/vmx/exceptions.c", "filtered ? vcpu->pf_match : 0", "vcpu->pf_match"),
        Mutant(3, "filter-for-all", "vmm/vmx/exceptions.c", "vectors & ~others & BIT(PF_VECTOR)", "vectors & BIT(PF_VECTOR)"),
        Mutant(3, "returns-before-the-filter", "vmm/vmx/exceptions.c", "	filtered = vectors",
               "	if (vectors == old)\n		return;\n	filtered = vectors"),
        Mutant(3, "clears-all", "vmm/vmx/exceptions.c", "(vmread(EXCEPTION_BITMAP) & ~(u64)old) | vectors", "vectors"),
        Mutant(4, "no-cr2", "vmm/reflect.c", "write_cr2(exception->payload)", "(void)0"),
        Mutant(4, "error-code-bit-lost", "vmm/reflect.c", ".error_code = exception->error_code,",
               ".error_code = exception->error_code & ~(u32)PF_ERROR_FETCH,"),
        Mutant(4, "no-rf", "vmm/reflect.c", "| RFLAGS_RF);", ");"),
        Mutant(4, "rf-for-traps", "vmm/reflect.c", "exception->type == EVENT_EXCEPTION && exception->vector != DB_VECTOR",
               "exception->vector != DB_VECTOR"),
    ],
    4: [
        Mutant(1, "rip-not-advanced", "vmm/vmx/skip.h", "	vmwrite(GUEST_RIP, rip);\n", "	(void)rip;\n"),
        Mutant(2, "rf-stays", "vmm/vmx/skip.c", "	vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);\n", ""),
        Mutant(2, "sti-shadow-stays", "vmm/vmx/skip.c", "~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)",
               "~GUEST_INTR_STATE_MOV_SS"),
        Mutant(2, "no-step", "vmm/vmx/skip.c", "		pending |= PENDING_DBG_BS;", "		pending |= 0;"),
        Mutant(2, "ends-nmi-blocking", "vmm/vmx/skip.c",
               "interruptibility & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)", "0 * interruptibility"),
        Mutant(2, "only-for-tf", "vmm/vmx/skip.h", "rflags & (RFLAGS_RF | RFLAGS_TF)", "rflags & RFLAGS_TF"),
        Mutant(3, "upper-half-kept", "vmm/x86/rdmsr.h", "vcpu->regs[VCPU_RDX] = msr.half[1];",
               "vcpu->regs[VCPU_RDX] = (vcpu->regs[VCPU_RDX] & ~0xffffffffull) | msr.half[1];"),
        Mutant(4, "rax-not-cut", "vmm/x86/rdmsr.h", "<< 32 | (u32)vcpu->regs[VCPU_RAX]", "<< 32 | vcpu->regs[VCPU_RAX]"),
        Mutant(5, "eax-keeps-the-rest", "vmm/x86/io.c", "size < 4 ? BIT(8 * size) - 1 : ~0ull",
               "size < 8 ? BIT(8 * size) - 1 : ~0ull"),
        Mutant(6, "out-sets-rax", "vmm/x86/io.c", "	if (io->in)\n", "	if (io->port)\n"),
        Mutant(6, "no-skip", "vmm/x86/io.c", "	virt->skip_emulated_instruction(vcpu);\n", ""),
        Mutant(7, "first-entry-only", "vmm/x86/cpuid_mask.c", "i = hidden->next", "i = 0"),
        Mutant(7, "subleaf-of-all", "vmm/x86/cpuid_mask.c",
               "	if (!cpuid_has_subleaves(leaf))\n		subleaf = 0;\n", ""),
        Mutant(8, "any-reason", "vmm/x86/cpuid_exits.c", " && reason < RECORDER_REASONS", ""),
        Mutant(8, "first-vcpu-only", "vmm/x86/cpuid_exits.c", "i < vm->nr_vcpus &&", "i < 1 &&"),
    ],
    5: [
        Mutant(1, "leaf-at-level-1-only", "ept/walk.c", " || value & EPT_LEAF)", ")"),
        Mutant(1, "eight-bits", "ept/walk.c", "table[gpa >> *shift & (ENTRIES - 1)]", "table[gpa >> *shift & (ENTRIES / 2 - 1)]"),
        Mutant(1, "address-is-physical", "ept/walk.c", "table = table_of(ept, value);",
               "table = (u64 *)table_of(ept, value - ept->ops.va_offset);"),
        Mutant(2, "no-w", "ept/leaf.c", "(gpa + c->offset) | c->bits |", "(gpa + c->offset) | (c->bits & ~EPT_W) |"),
        Mutant(2, "no-large-page", "ept/leaf.c", "(level > 1 ? EPT_LEAF : 0)", "(level > 2 ? EPT_LEAF : 0)"),
        Mutant(2, "protect-adds-only", "ept/leaf.c", "(old & ~EPT_RWX) | c->bits", "old | c->bits"),
        Mutant(3, "same-address-512-times", "ept/leaf.c", "entry + (u64)i * entry_size(level - 1)", "entry"),
        Mutant(3, "bit-7-stays", "ept/leaf.c", "	if (level == 2)\n		entry &= ~EPT_LEAF;\n", ""),
        Mutant(3, "no-accessed-and-dirty", "ept/leaf.c", "	if (ept->caps.ad)\n		entry |= AD_FLAGS;\n", ""),
        Mutant(4, "no-collapse", "ept/change.c", "		collapse(ept, entry, level);\n		return ret;",
               "		(void)collapse;\n		return ret;"),
        Mutant(4, "frees-what-is-in-use", "ept/change.c", "drop_table(ept, table_of(ept, old), level - 1, true);",
               "drop_table(ept, table_of(ept, old), level - 1, false);"),
        Mutant(4, "table-is-lost", "ept/change.c", "		drop_table(ept, table, level - 1, false);\n		return ret;",
               "		return ret;"),
        Mutant(4, "seen-too-early", "ept/change.c", "	ret = ept_change_table(ept, table, level - 1, gpa, end, c);\n	if (ret) {",
               "	write_entry(entry, table_pa(ept, table) | EPT_RWX);\n"
               "	ret = ept_change_table(ept, table, level - 1, gpa, end, c);\n	if (ret) {"),
        Mutant(4, "hole-for-a-moment", "ept/change.c", "	table = ept_split(ept, old, level);",
               "	write_entry(entry, 0);\n	table = ept_split(ept, old, level);"),
        Mutant(4, "table-cannot-be-written", "ept/change.c", "table_pa(ept, table) | EPT_RWX", "table_pa(ept, table) | EPT_R | EPT_X"),
        Mutant(5, "no-execute-only", "ept/prot.c", "return prot & EPT_X && ept->caps.exec_only ? EPT_X : 0;",
               "(void)ept;\n	return 0;"),
        Mutant(5, "may-read", "ept/prot.c", "return prot & EPT_X && ept->caps.exec_only ? EPT_X : 0;",
               "return prot & EPT_X && ept->caps.exec_only ? EPT_X : EPT_R;"),
        Mutant(6, "no-invept", "vmm/vmx/tlb.c", "		flush_tables(ept_pointer(&vcpu->vm->ept));", "		(void)vcpu;"),
        Mutant(6, "invept-each-time", "vmm/vmx/tlb.c", "	if (flush)\n", "	(void)flush;\n"),
        Mutant(6, "invept-of-the-other", "vmm/vmx/tlb.c", "		flush_tables(pointer);\n",
               "		flush_tables(ept_pointer(&vcpu->vm->ept));\n"),
    ],
    6: [
        Mutant(1, "third-nmi", "vmm/nmi.c", "__ATOMIC_RELAXED) < 2", "__ATOMIC_RELAXED) < 3"),
        Mutant(2, "second-nmi-forgotten", "vmm/nmi.c", "	if (__atomic_sub_fetch(&vcpu->nmi_pending, 1, __ATOMIC_ACQ_REL))\n"
               "		virt->enable_nmi_window(vcpu);\n", "	__atomic_sub_fetch(&vcpu->nmi_pending, 1, __ATOMIC_ACQ_REL);\n"),
        Mutant(2, "overwrites-event", "vmm/nmi.c", "vcpu->event.valid || !virt", "!virt"),
        Mutant(3, "waits-for-if", "vmm/vmx/blocking.c", "	return !(vmread(GUEST_INTERRUPTIBILITY_INFO) & blocked);",
               "	return !(vmread(GUEST_INTERRUPTIBILITY_INFO) & blocked) && vmread(GUEST_RFLAGS) & RFLAGS_IF;"),
        Mutant(5, "window-stays", "vmm/vmx/blocking.c", "			  CPU_BASED_NMI_WINDOW_EXITING | CPU_BASED_INTR_WINDOW_EXITING",
               "			  CPU_BASED_INTR_WINDOW_EXITING"),
        Mutant(6, "nmi-stays-blocked", "vmm/vmx/event.c", "	if (event->type == EVENT_NMI)\n", "	if (0)\n"),
        Mutant(6, "error-code-in-real-mode", "vmm/vmx/event.c", "event->has_error_code && vmread(GUEST_CR0) & CR0_PE",
               "event->has_error_code"),
        Mutant(7, "length-is-lost", "vmm/vmx/event.c", "	if (event->type >= EVENT_SOFT_INTR)\n		event->insn_len",
               "	if (event->type > EVENT_SOFT_INTR)\n		event->insn_len"),
        Mutant(8, "fields-of-the-entry", "vmm/vmx/event.c", "info, IDT_VECTORING_ERROR_CODE,", "info, VM_ENTRY_EXCEPTION_ERROR_CODE,"),
        Mutant(8, "interrupted-event-lost", "vmm/vmx/event.c", "	if (unlikely(info & INTR_INFO_VALID_MASK))\n",
               "	if (unlikely(info & INTR_INFO_VALID_MASK && info & INTR_INFO_DELIVER_CODE_MASK))\n"),
        Mutant(9, "shadow-is-lost", "vmm/vmx/blocking.c", "blocked ? info | GUEST_INTR_STATE_NMI : info",
               "blocked ? GUEST_INTR_STATE_NMI : info"),
        Mutant(10, "always-again", "vmm/vmx/blocking.c", "	if (!(vmread(IDT_VECTORING_INFO_FIELD) & INTR_INFO_VALID_MASK))\n", ""),
    ],
    7: [
        Mutant(1, "label-too-late", "arch/x86/halt_until.inc", "halt_until_test:\n	cmpl $0, (%rdi)\n	jne 1f\n",
               "2:\n	cmpl $0, (%rdi)\n	jne 1f\nhalt_until_test:\n"),
        Mutant(1, "sleeps-once", "arch/x86/halt_until.inc", "	jmp halt_until_test\n", ""),
        Mutant(2, "kick-without-nmi", "vmm/kick.c", "!smp_send_nmi(vcpu->cpu)", "!vcpu->cpu"),
        Mutant(2, "second-nmi", "vmm/kick.c", "__atomic_compare_exchange_n(&vcpu->kicked, &nobody, kicker(), false, __ATOMIC_SEQ_CST,\n"
               "					__ATOMIC_SEQ_CST)", "__atomic_exchange_n(&vcpu->kicked, kicker(), __ATOMIC_SEQ_CST) + 1 + nobody"),
        Mutant(2, "no-wake", "vmm/kick.c", "	__atomic_store_n(&vcpu->wake, 1, __ATOMIC_RELEASE);\n", ""),
        Mutant(3, "kick-first", "vmm/kick.c", "	__atomic_or_fetch(&vcpu->requests, request, __ATOMIC_SEQ_CST);\n	vcpu_kick(vcpu);\n",
               "	vcpu_kick(vcpu);\n	__atomic_or_fetch(&vcpu->requests, request, __ATOMIC_SEQ_CST);\n"),
        Mutant(4, "kicked-stays", "vmm/kick.c", "__atomic_exchange_n(&vcpu->kicked, 0, __ATOMIC_ACQ_REL)", "vcpu->kicked"),
        Mutant(5, "enters-after-the-nmi", "vmm/kick.c", "	virt->request_immediate_exit(vcpu);\n", ""),
        Mutant(6, "sipi-lost", "vmm/init_sipi.c", "!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & REQ_INIT) &&\n	    ", ""),
        Mutant(7, "reset-too-early", "vmm/init_sipi.c", "		virt->wait_for_sipi(vcpu);\n",
               "		reset_by_init(vcpu);\n		virt->wait_for_sipi(vcpu);\n"),
        Mutant(8, "runs-and-starts-again", "vmm/init_sipi.c", "	if (vcpu->mp_state == MP_STATE_RUNNABLE)\n		return;\n", ""),
        Mutant(8, "old-nmi", "vmm/init_sipi.c", "	vcpu->nmi_pending = 0;\n	virt->get_segment", "	virt->get_segment"),
        Mutant(9, "test-fails-always", "labs/07-other-cpus/check/kick_test.c", "	return NULL;", "	return \"wrong\";"),
        Mutant(10, "test-of-a-guest-that-exits", "labs/07-other-cpus/check/kick_test.c", "	lab_quiet();\n", ""),
        Mutant(11, "test-of-the-nmi-only", "labs/07-other-cpus/check/kick_test.c", "		if (vcpu_call(vcpu, nothing, 100000))\n",
               "		if (({ vcpu_make_request(vcpu, REQ_EVENT);\n"
               "			for (unsigned t = 0; t < 100000 && *(volatile u32 *)&vcpu->kicked; t++)\n				;\n"
               "			(void)nothing; vcpu->kicked; }))\n"),
        Mutant(12, "test-of-one-kick", "labs/07-other-cpus/check/kick_test.c", "i < 10", "i < 1"),
    ],
    8: [
        Mutant(1, "no-reserved-bits", "vmm/x86/guest_walk.c", "entry & walk_reserved(mode, level, leaf)",
               "0 & walk_reserved(mode, level, leaf)"),
        Mutant(1, "rights-of-the-leaf-only", "vmm/x86/guest_walk.c", "acc &= entry_acc(entry)", "acc = entry_acc(entry)"),
        Mutant(1, "present-stays", "vmm/x86/guest_walk.c", "		w->error &= ~PF_ERROR_P;\n", ""),
        Mutant(2, "error-code-bit-always", "vmm/x86/guest_rights.h", "(mode->smep || (mode->nx && mode->levels > 2))",
               "mode->levels"),
        Mutant(2, "error-code-bit-lost", "vmm/x86/guest_rights.h", "access & (PF_ERROR_W | PF_ERROR_U);", "access & PF_ERROR_W;"),
        Mutant(3, "wp-for-users", "vmm/x86/guest_rights.h", "!(user || mode->wp)", "!mode->wp"),
        Mutant(3, "smep-is-smap", "vmm/x86/guest_rights.h", "acc & ACC_U && mode->smep", "acc & ACC_U && mode->smap"),
        Mutant(4, "a-bit-not-set", "vmm/x86/guest_walk.c", "u64 flags = PT_A;", "u64 flags = level == w->level ? PT_A : 0;"),
        Mutant(4, "dirty-by-reads", "vmm/x86/guest_walk.c", "level == w->level && w->access & PF_ERROR_W", "level == w->level"),
        Mutant(4, "changed-meanwhile", "vmm/x86/guest_walk.c", "			return false;\n", "			continue;\n"),
        Mutant(5, "clean-is-writable", "shadow/leaf.c", "!(entry & PT_D)", "!(entry & PT_A)"),
        Mutant(5, "override-for-users", "shadow/leaf.c", "(acc | ACC_W) & ~ACC_U", "acc | ACC_W"),
        Mutant(6, "missing-w-bit", "shadow/leaf.c", "bits |= PT_W | PT_D;", "bits |= PT_D;"),
        Mutant(6, "second-level-forgotten", "shadow/leaf.c", "acc & ACC_W && prot & EPT_W", "acc & ACC_W"),
        Mutant(6, "pat-stays-in-its-place", "shadow/leaf.c", "spte |= level > 1 ? PT_LARGE_PAT : PT_PAT;",
               "spte |= leaf_level > 1 ? PT_LARGE_PAT : PT_PAT;"),
        Mutant(7, "maps-too-much", "shadow/fix.c", "fix->map.size >= spte_size(fix->level + 1)",
               "fix->map.size >= spte_size(fix->level)"),
        Mutant(7, "write-needs-no-w", "shadow/fix.c", "write ? EPT_R | EPT_W", "write ? EPT_R"),
        Mutant(7, "shield-forgotten", "shadow/fix.c", "!has_shielded(fix, fix->level + 1)", "true"),
        Mutant(8, "offset-stays", "shadow/fix.c", "ALIGN_DOWN(fix->map.hpa, spte_size(fix->level))",
               "ALIGN_DOWN(fix->map.hpa, PAGE_SIZE)"),
        Mutant(8, "no-unshield", "shadow/fix.c", "	if (w->access & PF_ERROR_W)\n", "	if (!w->mode)\n"),
        Mutant(8, "always-new", "shadow/fix.c", "		return -EEXIST;\n", "		return 0;\n"),
    ],
}

# Those that `make test` boots; `make soak` and `make labs-selftest` boot all.
QUICK = {
    1: {"no-vmclear", "launch-first"},
    2: {"rdi-not-last"},
    3: {"error-code-bit-lost"},
    4: {"rip-not-advanced", "rf-stays"},
    5: {"no-w"},
    6: {"second-nmi-forgotten"},
    7: {"kick-without-nmi"},
    8: {"a-bit-not-set"},
}
