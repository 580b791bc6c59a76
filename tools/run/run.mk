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

# The kernel's symbols, for gdb.
SYMBOLS := build/guest/debug/vmlinux
$(SYMBOLS): tools/run/fetch-symbols build/guest/vmlinuz | setup-run
	tools/run/fetch-symbols build/guest/vmlinuz $@

## gdb: boot the ISO in Bochs, and debug its Linux with gdb, through Glasshouse (fetches Debian's debug symbols: 280 MB)
.PHONY: gdb
gdb: $(RUN_FILES) $(SYMBOLS) | setup-iso setup-run setup-gdb
	$(PYTHON) tools/run/debug.py $(SYMBOLS)

## bochs-debugger: boot the ISO under Bochs' own debugger, with Glasshouse's symbols; the serial line goes to a file
.PHONY: bochs-debugger
bochs-debugger: $(RUN_FILES) | setup-iso setup-run
	$(PYTHON) tools/run/run.py --debugger

## setup-bochs3: Bochs 3.0 of Debian 13 into build/bochs-3.0 (BOCHS=3.0 runs it; it is not installed)
.PHONY: setup-bochs3
setup-bochs3: | setup-run
	tools/run/fetch-bochs build/bochs-3.0
