# SPDX-License-Identifier: MIT
# Build the guests and the ISO.

build/guest/vmlinuz build/guest/busybox build/guest/efivarfs.ko &: tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest

# Download kernels of other projects, for the boot tests.
FOREIGN := build/guest/foreign/xen

$(FOREIGN): tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest/foreign foreign

# Download Debian's shim, for boot tests.
SHIM := build/guest/shim/shimx64.efi

$(SHIM): tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest/shim shim

# Download the kernel that Debian installs on a PC, for boot tests, and pack the initramfs with its own module for EFI's variables.
STOCK := build/guest/stock/vmlinuz build/guest/stock/initrd.img

build/guest/stock/vmlinuz build/guest/stock/efivarfs.ko &: tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest build/guest/stock stock

build/guest/stock/initrd.img: tools/image/append build/guest/initrd.img build/guest/stock/efivarfs.ko | setup-guest
	$(say) CPIO $@
	tools/image/append $@ build/guest/stock/efivarfs.ko

HELPERS := $(patsubst guests/initramfs/%.c,build/guest/bin/%,$(wildcard guests/initramfs/*.c))

build/guest/bin/%: guests/initramfs/%.c $(wildcard include/*.h) | setup-build
	$(say) CC $<
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -iquote include -o $@ $<

## build/glasshouse-log: the program that prints Glasshouse's log in Linux
LOG_TOOL := guests/tools/glasshouse-log.c guests/tools/log_reader.c guests/tools/own_memory.c
## build/glasshouse-stat: the program that counts and times the exits there, or writes them to a file
STAT_TOOL := guests/tools/glasshouse-stat.c guests/tools/own_memory.c vmm/trace_stat.c vmm/vmx/exit_reasons.c
build/glasshouse-log: $(LOG_TOOL)
build/glasshouse-stat: $(STAT_TOOL)
build/glasshouse-log build/glasshouse-stat: $(wildcard guests/tools/*.h include/*.h vmm/*.h vmm/vmx/vmcs.h) | setup-build
	$(say) CC $@
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -s -iquote . -iquote include -o $@ $(filter %.c,$^)

build/guest/initrd.img: tools/image/mkinitramfs build/guest/busybox build/guest/efivarfs.ko $(HELPERS) build/glasshouse-log build/glasshouse-stat \
		$(wildcard guests/initramfs/* guests/initramfs/*/*) | setup-guest
	$(say) CPIO $@
	tools/image/mkinitramfs $@

# For tests/bench: what it measures depends on the size of the initramfs.
build/guest/bench-initrd.img: tools/image/mkinitramfs build/guest/busybox build/guest/bin/bench | setup-guest
	$(say) CPIO $@
	tools/image/mkinitramfs $@ build/guest/busybox build/guest/bin/bench

# Test guests: each folder of guests/ with a main.c is linked with guests/lib into a flat image.
OWN_GUESTS := $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c))
GUEST_CFLAGS := $(filter-out -mcmodel=kernel,$(CFLAGS)) -mcmodel=small
GUEST_OBJECTS = $(patsubst %,build/guest/obj/%.o,$(sort $(wildcard guests/lib/*.[cS] \
	$1/*.[cS])) lib/print.c lib/string.c)

build/guest/obj/%.o: % $(B)/flags | setup-build
	$(say) CC $<
	mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

# $1: the folder of its sources; $2: its name.
define own_guest
build/guest/$2.img: $(call GUEST_OBJECTS,$1) guests/lib/guest.ld
	$(say) LD $$@
	$(LD) -nostdlib -z noexecstack -T guests/lib/guest.ld -o build/guest/$2.elf \
		$(call GUEST_OBJECTS,$1)
	objcopy -O binary build/guest/$2.elf $$@
endef
$(foreach g,$(OWN_GUESTS),$(eval $(call own_guest,guests/$g,$g)))
-include $(shell find build/guest/obj -name '*.d' 2>/dev/null)

# The initramfs with a kernel module added that asks Glasshouse to leave.
build/guest/leave.img: tools/image/mkmodule tools/image/append guests/module/leave.c build/guest/initrd.img | setup-build setup-test
	$(say) KO $@
	tools/image/mkmodule $@ guests/module/leave.c

# Guests in real mode: a boot sector, and one that resets the CPU; and one in 64-bit mode.
build/guest/raw.img build/guest/sector.img build/guest/warm.img: build/guest/%.img: build/guest/obj/guests/sector/%.S.o
	$(say) LD $@
	$(LD) -N -e start -Ttext 0 --oformat binary -o $@ $<

# Glasshouse's option parser, as a program for the host.
CHECK_OPTIONS := tools/build/check_options.c boot/options.c lib/number.c lib/options.c lib/option_help.c lib/words.c lib/print.c lib/string.c
build/check-options: $(CHECK_OPTIONS) $(wildcard include/*.h lib/*.h boot/*.h) | setup-build
	$(say) CC $@
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -iquote . -iquote include -o $@ \
		$(CHECK_OPTIONS)

GUEST_FILES := build/guest/vmlinuz build/guest/initrd.img build/guest/bench-initrd.img build/guest/raw.img build/guest/sector.img build/guest/warm.img \
	$(OWN_GUESTS:%=build/guest/%.img)

# With GUEST_KERNEL and GUEST_INITRD given, Debian's files are not needed.
RUN_FILES := build/glasshouse.elf build/check-options \
	$(if $(and $(GUEST_KERNEL),$(GUEST_INITRD)),,build/guest/vmlinuz build/guest/initrd.img)

## iso: build/glasshouse.iso, for BIOS and UEFI: GRUB, Glasshouse, Debian's kernel and a small initramfs
.PHONY: iso
iso: $(RUN_FILES) | setup-iso setup-efi
	$(say) ISO build/glasshouse.iso
	$(PYTHON) tools/image/mkiso.py build/glasshouse.iso

## build/glasshouse-graphics.elf: the hypervisor, for GRUB on a BIOS machine to start in a graphics mode
build/glasshouse-graphics.elf: tools/image/graphics.py build/glasshouse.elf
	$(PYTHON) $^ $@

.PHONY: guests
guests: $(GUEST_FILES)
