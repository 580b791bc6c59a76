/* SPDX-License-Identifier: MIT */
/*
 * Failing on purpose, so that tests can read the report.
 */
#ifndef GH_REPORT_PROVOKE_H
#define GH_REPORT_PROVOKE_H

/*
 * Fail in the way that @how names, at the PROVOKE_EXIT-th exit of vCPU 0 from now, or with "@1"
 * behind it of vCPU 1:
 *   panic, pagefault, gp, ud, db, bp, divide, doublefault, stack, nmi (panic in its handler),
 *   straynmi (one hits the report), badreport (which faults itself), text (our code is written to,
 *   and we go on), write (to our code, which page tables forbid), mc (a machine check that the
 * guest gets), fatalmc (one after which the CPU cannot go on), or entry:FIELD=VALUE,... which
 * writes VALUE (hexadecimal) into the VMCS field FIELD (KVM's name), and up to three more, before
 * the next VM entry. Other words are named and ignored.
 */
#define PROVOKE_EXIT 40
void provoke(const char *how);

#endif
