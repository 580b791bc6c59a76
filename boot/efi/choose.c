/* SPDX-License-Identifier: MIT */
#include "boot/efi/door.h"
EFI_STATUS choose(const struct door *door, struct choice *choice) { (void)door; choice->program = door->image; return 0; }
EFI_STATUS choice_start(const struct door *door, struct choice *choice) { (void)choice; door_print(door, "I am the guest.\n"); return 0; }
void choice_drop(const struct door *door, struct choice *choice) { (void)door; (void)choice; }
EFI_STATUS door_options(const struct door *door, char *cmdline) { (void)door; cmdline[0] = 0; return 0; }
