# SPDX-License-Identifier: MIT
# Testing it, and checking the tree.

## test: everything: the tree, unit tests and fuzzing on this machine, boots in Bochs, and there under KVM
.PHONY: test
test: house unit
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5
	$(MAKE) --no-print-directory boot
	$(MAKE) --no-print-directory test-nested

## fuzz: whatever comes from outside, under libFuzzer (FUZZ_SECONDS=60 for each target)
FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: | setup-build setup-fuzz
	$(MAKE) --no-print-directory -C tests/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS)

## docs: docs/options.md and docs/commands.md, from the tables of options and commands
.PHONY: docs
docs: $(GENERATED) | setup-build setup-test
	GH_DOCS=write $(MAKE) --no-print-directory -C tests/unit test_boot_options test_monitor

## house: check the tree itself: who includes whom, how much there is to read
.PHONY: house
house: | setup-build setup-test
	$(PYTHON) -m pytest -p no:cacheprovider -q tests/house

## unit: the unit tests, on this machine, with address and undefined-behaviour sanitizers
.PHONY: unit
unit: $(GENERATED) | setup-build setup-test
	$(MAKE) --no-print-directory -C tests/unit

## boot: the boot tests in Bochs (K=expression chooses, as pytest's -k)
.PHONY: boot
boot: build/glasshouse.elf build/glasshouse.efi build/glasshouse-graphics.elf build/debug/glasshouse.elf build/bare/glasshouse.elf build/check-options $(GUEST_FILES) $(LAB_GUESTS) $(EFI_FILES) $(FOREIGN) $(SHIM) $(STOCK) build/guest/leave.img | setup-iso setup-efi setup-sign setup-run setup-test
	$(PYTHON) -m pytest -p no:cacheprovider -n 2 -rsx tests/boot -m 'not soak' $(if $(K),-k '$(K)')

## soak: the random guest for longer (SEED= another one, EXITS= how many VM exits in all, K= which tests), then `make fuzz` and the long nested tests
.PHONY: soak
soak: build/glasshouse.elf build/debug/glasshouse.elf build/glasshouse.efi build/glasshouse-graphics.elf $(GUEST_FILES) $(LAB_GUESTS) $(EFI_FILES) $(STOCK) | setup-iso setup-efi setup-run setup-test
	SEED=$(or $(SEED),1) EXITS=$(or $(EXITS),20000000) \
		$(PYTHON) -m pytest -p no:cacheprovider -n 2 -rP tests/boot/test_monkey.py $(if $(K),-k '$(K)')
	$(PYTHON) -m pytest -p no:cacheprovider -n 2 tests/boot -m soak
	$(MAKE) --no-print-directory fuzz
	$(MAKE) --no-print-directory soak-nested K=

## labs-selftest: the labs' own tests, all of them: solutions, stubs, mistakes, seeds (`make boot` and `make soak` share them)
.PHONY: labs-selftest
labs-selftest: $(LAB_FILES) $(LAB_LINUX) | setup-iso setup-run setup-test
	$(PYTHON) -m pytest -p no:cacheprovider -n 2 -rsx tests/boot/test_labs.py tests/boot/test_labs_iso.py tests/boot/test_handout.py $(if $(K),-k '$(K)')

## reliability: docs/reliability.md, from real runs (SEEDS= EXITS= FUZZ_SECONDS= CYCLES= how much; half an hour)
.PHONY: reliability
reliability: build/glasshouse.elf $(GUEST_FILES) | setup-iso setup-run setup-test setup-fuzz
	$(PYTHON) tests/reliability.py

## bench: what Glasshouse costs, in ticks of the emulated CPU, native beside it
.PHONY: bench
bench: build/glasshouse.elf build/debug/glasshouse.elf build/bare/glasshouse.elf $(GUEST_FILES) | setup-iso setup-run
	$(PYTHON) tests/bench/bench.py

## walkthrough: docs/walkthrough.md, from a run in Bochs
.PHONY: walkthrough
walkthrough: build/glasshouse.elf build/guest/cycle.img | setup-iso setup-run
	$(PYTHON) tests/boot/cycle.py

## lint: who includes whom, clang-format over all C, clang-tidy over Glasshouse, and each of its headers by itself
.PHONY: lint
C_FILES = $(shell git ls-files '*.c' '*.h')
HEADERS = $(filter-out guests/% tests/% arch/x86/debug/% $(wildcard labs/*/guest/*.h),$(filter %.h,$(C_FILES)))
lint: compile_commands.json $(GENERATED) | setup-build setup-lint
	$(PYTHON) tools/build/check_includes.py
	clang-format --dry-run -Werror $(C_FILES)
	for h in $(filter-out boot/efi/%,$(HEADERS)); do echo "#include \"$$h\"" | $(CC) $(CFLAGS) -fsyntax-only -x c - || exit 1; done
	for h in $(filter boot/efi/%,$(HEADERS)); do echo "#include \"$$h\"" | $(CC) $(DOOR_CFLAGS) -fsyntax-only -x c - || exit 1; done
	clang-tidy --quiet -p . $(filter %.c,$(SOURCES)) $(DOOR_ONLY)

# clang's tools do not know this one of GCC's.
clangd = $(filter-out -mpreferred-stack-boundary=% -maccumulate-outgoing-args,$(1))
# The C files of boot/efi/; what they share with the rest is checked with the rest.
DOOR_ONLY = $(wildcard boot/efi/*.c)
## compile_commands.json: for editors and clang-tidy
compile_commands.json: FORCE
	command() { printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' "$$sep" '$(CURDIR)' "$$1" "$$2" "$$1"; sep=,; }; \
	{ printf '['; sep=; for f in $(filter %.c,$(SOURCES)); do command "$$f" '$(CC) $(call clangd,$(CFLAGS))'; done; \
	for f in $(DOOR_ONLY); do command "$$f" '$(CC) $(call clangd,$(DOOR_CFLAGS))'; done; \
	printf '\n]\n'; } | { $(if_changed); }
