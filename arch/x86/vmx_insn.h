/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions. Source: Intel SDM volume 3, "VMX Instruction Reference", "Conventions".
 *
 * Those that return int: 0, -EINVAL for VMfailValid (VM_INSTRUCTION_ERROR of the current VMCS says
 * why), -EIO for VMfailInvalid (no current VMCS to hold a reason).
 */
#ifndef GH_VMX_INSN_H
#define GH_VMX_INSN_H

#include "types.h"
#include "bits.h"
#include "errno.h"
#include "vmcs_count.h"

/* Convert the flags after a VMX instruction: CF is VMfailInvalid, ZF is VMfailValid. */
static inline int vmx_insn_result(bool cf, bool zf)
{
	if (unlikely(cf))
		return -EIO;
	return unlikely(zf) ? -EINVAL : 0;
}

/* Enter VMX operation. @pa: physical address of the VMXON region (4-KiB aligned, revision
 * identifier set). */
static inline int vmxon(u64 pa)
{
	bool cf, zf;

	asm volatile("vmxon %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(pa) : "memory");
	return vmx_insn_result(cf, zf);
}

/* Leave VMX operation. */
static inline int vmxoff(void)
{
	bool cf, zf;

	asm volatile("vmxoff" : "=@ccc"(cf), "=@ccz"(zf) : : "memory");
	return vmx_insn_result(cf, zf);
}

/* Write the VMCS at physical address @pa back to memory and set its launch state to clear. */
static inline int vmclear(u64 pa)
{
	bool cf, zf;

	asm volatile("vmclear %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(pa) : "memory");
	return vmx_insn_result(cf, zf);
}

/* Make the VMCS at physical address @pa current on this CPU. */
static inline int vmptrld(u64 pa)
{
	bool cf, zf;

	asm volatile("vmptrld %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(pa) : "memory");
	return vmx_insn_result(cf, zf);
}

/*
 * Read @field of the current VMCS without an error check: for the hot path, and for fields that are
 * known to exist. @field: an encoding from vmm/vmx/vmcs.h.
 */
static inline u64 vmread(u64 field)
{
	u64 val;

	vmcs_count_read();
	asm volatile("vmread %1, %0" : "=r"(val) : "r"(field) : "cc");
	return val;
}

/* As vmread(), into memory at @val: always 64 bits, whatever the field's width. */
static inline void vmread_to(u64 field, u64 *val)
{
	vmcs_count_read();
	asm volatile("vmread %1, %0" : "=m"(*val) : "r"(field) : "cc");
}

/* Write @val to @field of the current VMCS without an error check. */
static inline void vmwrite(u64 field, u64 val)
{
	vmcs_count_write();
	asm volatile("vmwrite %1, %0" : : "r"(field), "r"(val) : "cc");
}

/* As vmread(), with an error check. Returns 0 and the value in *@val; or an error, and *@val is 0.
 */
static inline int vmread_safe(u64 field, u64 *val)
{
	bool cf, zf;
	u64 v = 0;

	vmcs_count_read();
	asm volatile("vmread %3, %2" : "=@ccc"(cf), "=@ccz"(zf), "+r"(v) : "r"(field));
	*val = v;
	return vmx_insn_result(cf, zf);
}

/*
 * Invalidate cached mappings that derive from EPT. @type: VMX_EPT_EXTENT_CONTEXT (those of @eptp)
 * or VMX_EPT_EXTENT_GLOBAL (all; @eptp is ignored).
 */
static inline int invept(u64 type, u64 eptp)
{
	struct {
		u64 eptp, reserved;
	} desc = {eptp, 0};
	bool cf, zf;

	asm volatile("invept %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "m"(desc), "r"(type) : "memory");
	return vmx_insn_result(cf, zf);
}

/*
 * Invalidate cached linear and combined mappings. @type: VMX_VPID_EXTENT_... @vpid: 1 to 65535;
 * ignored for VMX_VPID_EXTENT_ALL_CONTEXT.
 */
static inline int invvpid(u64 type, u16 vpid)
{
	struct {
		u64 vpid, address;
	} desc = {vpid, 0};
	bool cf, zf;

	asm volatile("invvpid %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "m"(desc), "r"(type) : "memory");
	return vmx_insn_result(cf, zf);
}

#endif
