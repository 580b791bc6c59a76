/* SPDX-License-Identifier: MIT */
/*
 * Emulate memory accesses of the guest's instructions.
 */
#include "vmm/x86/emulate.h"
#include "arch/x86/cpu.h"
#include "lib/string.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/x86/guest_mem.h"

void emulate_skip(struct vcpu *vcpu, const struct insn *insn, bool repeat)
{
	u64 rip = virt->get_sysreg(vcpu, SYSREG_RIP) + (repeat ? 0 : insn->length);

	virt->skip_to(vcpu, insn->mode == INSN_64 ? rip : (u32)rip);
	/* An instruction breakpoint here has been reported before the first iteration. */
	if (repeat)
		virt->set_sysreg(vcpu, SYSREG_RFLAGS,
				 virt->get_sysreg(vcpu, SYSREG_RFLAGS) | RFLAGS_RF);
}

int emulate_insn(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem,
		 const struct insn_bus *bus, gva_t gva)
{
	u64 rflags = virt->get_sysreg(vcpu, SYSREG_RFLAGS), old = rflags;
	int r;

	vcpu->regs[VCPU_RSP] = virt->get_sysreg(vcpu, SYSREG_RSP);
	r = insn_emulate_mem(insn, mem, vcpu->regs, &rflags, bus);
	if (r < 0)
		return r;
	virt->set_sysreg(vcpu, SYSREG_RSP, vcpu->regs[VCPU_RSP]);
	if (rflags != old)
		virt->set_sysreg(vcpu, SYSREG_RFLAGS, rflags);
	breakpoint_access(vcpu, mem->writes ? BREAKPOINT_WRITE : BREAKPOINT_READ, gva, mem->size);
	emulate_skip(vcpu, insn, r);
	return 0;
}

#define VECTOR_MAX 64 /* bytes that a vector store writes */

/* @ctx: the operand, or NULL: all ones. */
static int read_content(void *ctx, unsigned size, u64 *value)
{
	*value = ctx ? 0 : ~0ull;
	if (ctx)
		memcpy(value, ctx, size);
	return 0;
}

static int drop_write(void *ctx, unsigned size, u64 value)
{
	(void)ctx;
	(void)size;
	(void)value;
	return 0;
}

/*
 * Does @insn have no effect except its write to memory? MOVUPS, MOVLPS, MOVHPS, MOVAPS, MOVNTPS,
 * MOVD, MOVQ, MOVDQA, MOVNTI, MOVNTDQ; with VEX or EVEX all instructions except the scatters, which
 * change their mask registers.
 */
static bool is_vector_store(const struct insn *insn)
{
	static const u8 stores[] = {0x11, 0x13, 0x17, 0x29, 0x2b, 0x7e, 0x7f, 0xc3, 0xd6, 0xe7};

	for (unsigned i = 0; insn->map == 1 && i < sizeof(stores); i++)
		if (insn->opcode == stores[i])
			return true;
	return insn->encoding != INSN_LEGACY && !(insn->map == 2 && (insn->opcode & ~3) == 0xa0);
}

/* Are all @size bytes at linear @gva on the guest-physical page of @gpa? */
static bool on_page(struct vcpu *vcpu, gva_t gva, unsigned size, gpa_t gpa)
{
	gpa_t at;

	return (gva & ~PAGE_MASK) + size <= PAGE_SIZE && !guest_physical(vcpu, gva, &at) &&
	       ALIGN_DOWN(at, PAGE_SIZE) == ALIGN_DOWN(gpa, PAGE_SIZE);
}

/* Does the vector store @insn write to the page of @gpa only? Its size is not decoded, nor the
 * scale of EVEX's short displacement: false where it may reach beyond. */
static bool vector_on_page(struct vcpu *vcpu, const struct insn *insn, gpa_t gpa)
{
	const struct insn_mem mem = {.op = INSN_MOV};

	if (insn->encoding == INSN_EVEX && insn->disp_size == 1)
		return false;
	return on_page(vcpu, guest_operand(vcpu, insn, &mem), VECTOR_MAX, gpa);
}

bool emulate_without_write(struct vcpu *vcpu, gpa_t gpa, const void *content)
{
	struct insn insn;
	struct insn_mem mem;
	struct insn_bus bus = {read_content, drop_write, NULL};
	gva_t gva;

	if (vcpu->event.valid || !decode_guest_insn(vcpu, &insn))
		return false;
	if (!insn_memory_op(&insn, &mem)) {
		gva = guest_operand(vcpu, &insn, &mem);
		if (content)
			bus.ctx = (char *)content + (gva & ~PAGE_MASK);
		if (mem.writes && on_page(vcpu, gva, mem.size, gpa) &&
		    !emulate_insn(vcpu, &insn, &mem, &bus, gva))
			return true;
	}
	if (!is_vector_store(&insn) || !vector_on_page(vcpu, &insn, gpa))
		return false;
	emulate_skip(vcpu, &insn, false);
	return true;
}
