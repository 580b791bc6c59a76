# SPDX-License-Identifier: MIT
# Everything that a person does with the tree: build, run, test. `make help` lists it.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := build/glasshouse.elf
.DELETE_ON_ERROR:

# ---- What may be chosen on the command line -------------------------------------------------

CPUS ?= 2
CPU ?= corei7_haswell_4770
MEM ?= 512
OPTS ?=
APPEND ?=
GUEST_KERNEL ?=
GUEST_INITRD ?=
BUILD_TYPE ?= release
# They reach the tools by the environment, so that spaces and quotes in them are safe.
export CPUS CPU MEM OPTS APPEND GUEST_KERNEL GUEST_INITRD

ifeq ($(origin CC),default)
CC := gcc
endif
LD := ld
NM := nm
# Debian's, with Debian's modules beside it.
PYTHON := /usr/bin/python3

CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-stack-protector \
	-mno-red-zone -mgeneral-regs-only -mcmodel=kernel -fno-pic -fno-pie -fno-common \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fomit-frame-pointer \
	-iquote . -iquote include
# No vector registers, so nothing asks for stacks aligned to 16.
CFLAGS += $(if $(findstring clang,$(CC)),-mstack-alignment=8,-mpreferred-stack-boundary=3)
LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=sha1

ifdef V
say = @:
else
say = @printf '  %-6s %s\n'
.SILENT:
endif

# ---- The hypervisor -------------------------------------------------------------------------

FOLDERS := $(wildcard boot monitor report vmm ept drivers arch lib)
SOURCES := $(sort $(shell find $(FOLDERS) -name '*.[cS]'))
OBJECTS := $(SOURCES:%=build/obj/%.o)

.PHONY: FORCE
FORCE:

# Write stdin to $@ only when that changes it, so that what depends on it is built when it must be.
define if_changed
mkdir -p $(@D); cat >$@.$$$$; if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi
endef

build/flags: FORCE
	{ printf '%s\n' '$(CC) $(CFLAGS)' '$(LD) $(LDFLAGS)'; } | { $(if_changed); }

build/version.h: FORCE
	v=$$(git describe --always --dirty --tags 2>/dev/null || echo unknown); \
	printf '#define GLASSHOUSE_VERSION "%s"\n#define GLASSHOUSE_BUILD_TYPE "%s"\n' \
		"$$v" '$(BUILD_TYPE)' | { $(if_changed); }

build/obj/%.c.o: %.c build/flags | setup-build build/version.h
	$(say) CC $<
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

build/obj/%.S.o: %.S build/flags | setup-build build/version.h
	$(say) AS $<
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

build/linker.ld: linker.ld arch/x86/layout.h build/flags | setup-build
	$(CC) -E -P -x assembler-with-cpp -iquote . -o $@ $<

# Two links. The first has an empty symbol table, the second the table of the first. The table lies
# behind all code, so no function moves, which the last step proves.
build/symbols0.S: tools/build/mksyms.awk
	mkdir -p $(@D)
	awk -f tools/build/mksyms.awk </dev/null >$@

build/symbols.S: build/pass1.elf tools/build/mksyms.awk
	$(NM) -n $< | awk -f tools/build/mksyms.awk >$@

build/symbols0.o build/symbols.o: %.o: %.S build/flags | setup-build
	$(CC) $(CFLAGS) -c -o $@ $<

build/pass1.elf: $(OBJECTS) build/symbols0.o build/linker.ld build/flags
	$(LD) $(LDFLAGS) -T build/linker.ld -o $@ $(OBJECTS) build/symbols0.o

## build/glasshouse.elf: the hypervisor (what plain `make` builds)
build/glasshouse.elf: build/pass1.elf build/symbols.o
	$(say) LD $@
	$(LD) $(LDFLAGS) -T build/linker.ld -o $@ $(OBJECTS) build/symbols.o
	$(NM) -n $@ | awk -f tools/build/mksyms.awk | cmp -s - build/symbols.S || { \
		echo "$@: functions moved between the two links, so the symbol table is wrong;" \
			"keep .symtab_gh behind all code in linker.ld" >&2; rm -f $@; exit 1; }

-include $(OBJECTS:.o=.d)

## size: how many lines of code each folder has, and what one reads to follow an exit or a boot
.PHONY: size
size:
	$(PYTHON) tools/build/size.py

# ---- The guests and the ISO -----------------------------------------------------------------

build/guest/vmlinuz build/guest/busybox &: tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest

# Kernels of other projects, for the boot tests.
FOREIGN := build/guest/foreign/xen

$(FOREIGN): tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest/foreign foreign

# The kernel that Debian installs on a PC, for a boot test.
STOCK := build/guest/stock/vmlinuz

$(STOCK): tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest/stock stock

HELPERS := $(patsubst guests/initramfs/%.c,build/guest/bin/%,$(wildcard guests/initramfs/*.c))

build/guest/bin/%: guests/initramfs/%.c | setup-build
	$(say) CC $<
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -o $@ $<

build/guest/initrd.img: tools/image/mkinitramfs build/guest/busybox $(HELPERS) \
		$(wildcard guests/initramfs/* guests/initramfs/*/*) | setup-guest
	$(say) CPIO $@
	tools/image/mkinitramfs $@

# Guests of our own: each folder of guests/ with a main.c makes a flat image, with guests/lib.
OWN_GUESTS := $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c))
GUEST_CFLAGS := $(filter-out -mcmodel=kernel,$(CFLAGS)) -mcmodel=small
GUEST_OBJECTS = $(patsubst %,build/guest/obj/%.o,$(sort $(wildcard guests/lib/*.[cS] \
	guests/$1/*.[cS])) lib/print.c lib/string.c)

build/guest/obj/%.o: % build/flags | setup-build
	$(say) CC $<
	mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

define own_guest
build/guest/$1.img: $(call GUEST_OBJECTS,$1) guests/lib/guest.ld
	$(say) LD $$@
	$(LD) -nostdlib -z noexecstack -T guests/lib/guest.ld -o build/guest/$1.elf \
		$(call GUEST_OBJECTS,$1)
	objcopy -O binary build/guest/$1.elf $$@
endef
$(foreach g,$(OWN_GUESTS),$(eval $(call own_guest,$g)))
-include $(shell find build/guest/obj -name '*.d' 2>/dev/null)

# That initramfs with a kernel module in it, which asks Glasshouse to leave.
build/guest/leave.img: tools/image/mkmodule guests/module/leave.c build/guest/initrd.img | setup-build setup-test
	$(say) KO $@
	tools/image/mkmodule $@

# The guest that is a boot sector.
build/guest/sector.img: build/guest/obj/guests/sector/sector.S.o
	$(say) LD $@
	$(LD) -N -e start -Ttext 0 --oformat binary -o $@ $<

# Glasshouse's parser of options, for this machine.
CHECK_OPTIONS := tools/build/check_options.c boot/options.c lib/options.c lib/option_help.c lib/print.c lib/string.c
build/check-options: $(CHECK_OPTIONS) $(wildcard include/*.h lib/*.h boot/*.h) | setup-build
	$(say) CC $@
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -iquote . -iquote include -o $@ \
		$(CHECK_OPTIONS)

GUEST_FILES := build/guest/vmlinuz build/guest/initrd.img build/guest/sector.img \
	$(OWN_GUESTS:%=build/guest/%.img)

# Who brings kernel and initrd needs none of Debian's.
RUN_FILES := build/glasshouse.elf build/check-options \
	$(if $(and $(GUEST_KERNEL),$(GUEST_INITRD)),,build/guest/vmlinuz build/guest/initrd.img)

## iso: build/glasshouse.iso: GRUB, Glasshouse, Debian's kernel and a small initramfs
.PHONY: iso
iso: $(RUN_FILES) | setup-iso
	$(say) ISO build/glasshouse.iso
	$(PYTHON) tools/image/mkiso.py build/glasshouse.iso

.PHONY: guests
guests: $(GUEST_FILES)

# ---- Running --------------------------------------------------------------------------------

## run: boot the ISO in Bochs, on this terminal (CPUS= CPU= MEM= OPTS= APPEND= GUEST_KERNEL= GUEST_INITRD=)
.PHONY: run
run: $(RUN_FILES) | setup-iso setup-run
	$(PYTHON) tools/run/run.py

## run-qemu: boot the ISO in QEMU, with nested VT-x where this machine has it
.PHONY: run-qemu
run-qemu: iso | setup-qemu
	$(PYTHON) tools/run/run_qemu.py

## gdb: boot the ISO under Bochs' own debugger, symbols loaded, the serial line on a second terminal
.PHONY: gdb
gdb: $(RUN_FILES) | setup-iso setup-run
	$(PYTHON) tools/run/run.py --debugger

# ---- Testing --------------------------------------------------------------------------------

## test: everything: the tree, unit tests and fuzzing on this machine, boots in Bochs
.PHONY: test
test: house unit
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5
	$(MAKE) --no-print-directory boot

## fuzz: whatever comes from outside, under libFuzzer (FUZZ_SECONDS=60 for each target)
FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: | setup-build setup-fuzz
	$(MAKE) --no-print-directory -C tests/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS)

## docs: docs/options.md, from the table of options
.PHONY: docs
docs: build/version.h | setup-build setup-test
	GH_DOCS=write $(MAKE) --no-print-directory -C tests/unit test_boot_options

## house: is the tree in order: who includes whom, how much there is to read
.PHONY: house
house: | setup-test
	$(PYTHON) -m pytest -p no:cacheprovider -q tests/house

## unit: the unit tests, on this machine, with address and undefined-behaviour sanitizers
.PHONY: unit
unit: build/version.h | setup-build setup-test
	$(MAKE) --no-print-directory -C tests/unit

## boot: the boot tests in Bochs (K=expression chooses, as pytest's -k)
.PHONY: boot
boot: build/glasshouse.elf build/check-options $(GUEST_FILES) $(FOREIGN) $(STOCK) build/guest/leave.img | setup-iso setup-run setup-test
	$(PYTHON) -m pytest -p no:cacheprovider -n 2 --durations=12 tests/boot $(if $(K),-k '$(K)')

## soak: the random guest for longer (SEED= another one, EXITS= how many VM exits in all, K= which tests), then `make fuzz`
.PHONY: soak
soak: build/glasshouse.elf $(GUEST_FILES) | setup-iso setup-run setup-test
	SEED=$(or $(SEED),1) EXITS=$(or $(EXITS),20000000) \
		$(PYTHON) -m pytest -p no:cacheprovider -n 2 -rP tests/boot/test_monkey.py $(if $(K),-k '$(K)')
	$(MAKE) --no-print-directory fuzz

## reliability: docs/reliability.md, from real runs (SEEDS= EXITS= FUZZ_SECONDS= CYCLES= how much; half an hour)
.PHONY: reliability
reliability: build/glasshouse.elf $(GUEST_FILES) | setup-iso setup-run setup-test setup-fuzz
	$(PYTHON) tests/reliability.py

## bench: what Glasshouse costs, in ticks of the emulated CPU, native beside it
.PHONY: bench
bench: build/glasshouse.elf $(GUEST_FILES) | setup-iso setup-run
	$(PYTHON) tests/bench/bench.py

## lint: who includes whom, clang-format over all C, clang-tidy over Glasshouse, and each of its headers by itself
.PHONY: lint
C_FILES = $(shell git ls-files '*.c' '*.h')
HEADERS = $(filter-out guests/% tests/%,$(filter %.h,$(C_FILES)))
lint: compile_commands.json build/version.h | setup-build setup-lint
	$(PYTHON) tools/build/check_includes.py
	clang-format --dry-run -Werror $(C_FILES)
	for h in $(HEADERS); do echo "#include \"$$h\"" | $(CC) $(CFLAGS) -fsyntax-only -x c - || exit 1; done
	clang-tidy --quiet -p . $(filter %.c,$(SOURCES))

# clang's tools do not know this one of GCC's.
CLANGD_CFLAGS = $(filter-out -mpreferred-stack-boundary=%,$(CFLAGS))
## compile_commands.json: for editors and clang-tidy
compile_commands.json: FORCE
	{ printf '['; sep=; for f in $(filter %.c,$(SOURCES)); do \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' \
			"$$sep" '$(CURDIR)' "$$f" '$(CC) $(CLANGD_CFLAGS)' "$$f"; sep=,; done; \
	printf '\n]\n'; } | { $(if_changed); }

# ---- The house ------------------------------------------------------------------------------

## setup: install every Debian package that any of these needs
.PHONY: setup
setup:
	tools/setup build guest iso run qemu test fuzz lint

# Each target asks for what it needs, no more; tools/setup is done at once when nothing is missing.
.PHONY: setup-build setup-guest setup-iso setup-run setup-qemu setup-test setup-fuzz setup-lint
setup-build setup-guest setup-iso setup-run setup-qemu setup-test setup-fuzz setup-lint: setup-%:
	tools/setup $*

## clean: remove all that was built
.PHONY: clean
clean:
	rm -rf build compile_commands.json

## help: this list
.PHONY: help
help:
	sed -n 's/^## \([^:]*\): \(.*\)/  make \1\t\2/p' Makefile | \
		sed 's,make build/glasshouse.elf,make,' | \
		awk -F '\t' '{ printf "%-29s%s\n", $$1, $$2 }'
