# SPDX-License-Identifier: MIT
# Run the ISO in emulators.

## run: boot the ISO in Bochs, on this terminal (CPUS= CPU= MEM= OPTS= APPEND= GUEST_KERNEL= GUEST_INITRD=)
.PHONY: run
run: $(RUN_FILES) | setup-iso setup-run
	$(PYTHON) tools/run/run.py

## run-uefi: the same with UEFI firmware and an EFI system partition (build/run/esp.img)
.PHONY: run-uefi
run-uefi: $(RUN_FILES) build/glasshouse.efi $(EFI_FILES) | setup-iso setup-efi setup-run
	$(PYTHON) tools/run/run.py --uefi

## run-qemu: boot the ISO in QEMU, with nested VT-x where this machine has it
.PHONY: run-qemu
run-qemu: iso | setup-qemu
	$(PYTHON) tools/run/run_qemu.py

## gdb: boot the ISO under Bochs' own debugger, with symbols; the serial line goes to a file
.PHONY: gdb
gdb: $(RUN_FILES) | setup-iso setup-run
	$(PYTHON) tools/run/run.py --debugger

## setup-bochs3: Bochs 3.0 of Debian 13 into build/bochs-3.0 (BOCHS=3.0 runs it; it is not installed)
.PHONY: setup-bochs3
setup-bochs3: | setup-run
	tools/run/fetch-bochs build/bochs-3.0
