# SPDX-License-Identifier: MIT
# Everything that a person does with the tree: build, run, test. `make help` lists it. How each is done
# stands in the parts (PARTS), beside what they call.

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
ifeq ($(filter release debug,$(BUILD_TYPE)),)
$(error BUILD_TYPE=$(BUILD_TYPE): there are release and debug (which counts VMREADs and VMWRITEs))
endif
# They reach the tools by the environment, so that spaces and quotes in them are safe.
export CPUS CPU MEM OPTS APPEND GUEST_KERNEL GUEST_INITRD BOCHS

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
	-fmacro-prefix-map=./= -iquote . -iquote include -iquote arch/x86/$(BUILD_TYPE)
# No vector registers, so nothing asks for stacks aligned to 16.
CFLAGS += $(if $(findstring clang,$(CC)),-mstack-alignment=8,-mpreferred-stack-boundary=3)
LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=sha1

ifdef V
say = @:
else
say = @printf '  %-6s %s\n'
.SILENT:
endif

# ---- What all parts use ---------------------------------------------------------------------

.PHONY: FORCE
FORCE:

# Write stdin to $@ only when that changes it, so that what depends on it is built when it must be.
define if_changed
mkdir -p $(@D); cat >$@.$$$$; if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi
endef

# ---- The parts ------------------------------------------------------------------------------

# A part may use the variables of those before it.
PARTS := tools/build/hypervisor.mk tools/build/efi.mk tools/image/image.mk tools/image/esp.mk tools/run/run.mk tools/report/report.mk tools/labs/labs.mk tests/tests.mk \
	tests/nested/nested.mk
# A handout of the labs has no tests.
include $(wildcard $(PARTS))

# ---- The tree -------------------------------------------------------------------------------

## setup: install every Debian package that any of these needs
.PHONY: setup
setup:
	tools/setup build guest iso efi sign run qemu nested gdb test fuzz lint

# Each target asks for what it needs, no more; tools/setup is done at once when nothing is missing.
.PHONY: setup-build setup-guest setup-iso setup-efi setup-sign setup-run setup-qemu setup-nested setup-test setup-fuzz setup-lint setup-picture setup-gdb
setup-build setup-guest setup-iso setup-efi setup-sign setup-run setup-qemu setup-nested setup-test setup-fuzz setup-lint setup-picture setup-gdb: setup-%:
	tools/setup $*

## clean: remove all that was built
.PHONY: clean
clean:
	rm -rf build compile_commands.json

## help: this list
.PHONY: help
help:
	sed -n 's/^## \([^:]*\): \(.*\)/  make \1\t\2/p' $(PARTS) Makefile | \
		sed 's,make build/glasshouse.elf,make,' | \
		awk -F '\t' '{ printf "%-37s%s\n", $$1, $$2 }'
