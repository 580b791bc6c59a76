/* SPDX-License-Identifier: MIT */
/*
 * Failures on purpose, so that tests can check the report.
 */
#ifndef GH_REPORT_PROVOKE_H
#define GH_REPORT_PROVOKE_H

/* clang-format off */
/*
 * Cause the failure @how at the PROVOKE_EXIT-th exit of vCPU 0 from now; at the N-th if "/N" follows
 * the name; of vCPU 1 if "@1" follows it. The failures:
 *
 *   panic        a panic
 *   pagefault, gp, ud, db, bp, divide, doublefault
 *                the exception, in root mode
 *   stack        a stack overflow
 *   nmi          a panic in the NMI handler
 *   straynmi     a panic, and an NMI during its report
 *   badreport    a panic, and an exception in its report
 *   text         a change of Glasshouse's code, after which the guest continues
 *   write        a write to Glasshouse's code, which the page tables forbid
 *   mc           a machine check, which the guest gets
 *   fatalmc      a machine check after which the CPU cannot continue
 *   entry:FIELD=VALUE,...
 *                writes the hexadecimal VALUE into the VMCS field FIELD (KVM's name), and up to
 *                three more, before the next VM entry
 *
 * Any other @how is ignored, with a warning.
 */
/* clang-format on */
#define PROVOKE_EXIT 40
void provoke(const char *how);

#endif
