# SPDX-License-Identifier: MIT
# Build the UEFI front door: a part of glasshouse.elf, for GRUB, and build/glasshouse.efi.

# Small, because the hypervisor carries it, and speed does not matter. The firmware's functions need a stack that is
# aligned to 16 bytes.
DOOR_CFLAGS = $(filter-out -O2 -mcmodel=kernel -fno-pic -fno-pie -mstack-alignment=% -mpreferred-stack-boundary=%,$(CFLAGS)) \
	-Os -ffunction-sections -fpie -fvisibility=hidden \
	-fshort-wchar -fno-jump-tables -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 \
	$(if $(findstring clang,$(CC)),,-maccumulate-outgoing-args)

# What both forms have; and what only the entry from GRUB, or only the program, has.
DOOR_SOURCES := $(filter-out boot/efi/from_firmware.c boot/efi/sbat.S boot/efi/from_grub.%,$(wildcard boot/efi/*.[cS])) \
	lib/number.c lib/print.c lib/string.c lib/words.c vmm/load/gather.c vmm/vmx/vmxon_refusal.c
DOOR_OBJECTS := $(DOOR_SOURCES:%=$(B)/door/%.o)

$(B)/door/%.c.o: %.c $(B)/flags tools/build/efi.mk | setup-build build/version.h
	$(say) CC "$< (UEFI)"
	mkdir -p $(@D)
	$(CC) $(DOOR_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/door/%.S.o: %.S $(B)/flags tools/build/efi.mk | setup-build build/version.h
	$(say) AS "$< (UEFI)"
	mkdir -p $(@D)
	$(CC) $(DOOR_CFLAGS) -MMD -MP -c -o $@ $<

# The part of glasshouse.elf has one public name; its copies of lib/ stay its own.
$(B)/door.o: $(DOOR_OBJECTS) $(B)/door/boot/efi/from_grub.c.o $(B)/door/boot/efi/from_grub.S.o
	$(LD) -r --gc-sections --entry=multiboot2_efi_entry -o $@ $^
	objcopy --keep-global-symbol=multiboot2_efi_entry $@
	tools/build/check_door $@

# The image inside the program: without the front door for GRUB, whose code the program has itself.
$(eval $(call image,$(B)/inside,$(OBJECTS),--defsym=multiboot2_efi_entry=multiboot2_entry))

$(B)/glasshouse.bin: $(B)/inside/glasshouse.elf
	objcopy -O binary $< $@

$(B)/door/image.S: tools/build/efi.mk | setup-build
	mkdir -p $(@D)
	printf '%s\n' '.section .rodata, "a"' '.balign 16' '.globl hypervisor_image' '.hidden hypervisor_image' 'hypervisor_image:' \
		'.incbin "$(B)/glasshouse.bin"' '.section .note.GNU-stack, "", @progbits' >$@

$(B)/door/image.o: $(B)/door/image.S $(B)/glasshouse.bin
	$(CC) -c -o $@ $<

# Only the sections that are named get into the program.
EFI_LDS := /usr/lib/elf_x86_64_efi.lds
EFI_SECTIONS := .text .sdata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc .sbat

EFI_MAKERS := tools/build/efi.mk tools/build/nx_compat.py

# Link objects with the front door's, to a program.
define link_efi
$(say) EFI $@
mkdir -p $(@D)
$(LD) -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack -T $(EFI_LDS) -o $(B)/door/$(@F).so \
	/usr/lib/crt0-efi-x86_64.o $(filter %.o,$^) /usr/lib/libgnuefi.a
test -z "$$($(NM) -u $(B)/door/$(@F).so)" || { $(NM) -u $(B)/door/$(@F).so >&2; exit 1; }
objcopy $(EFI_SECTIONS:%=-j '%') --target efi-app-x86_64 --subsystem=10 $(B)/door/$(@F).so $@
$(PYTHON) tools/build/nx_compat.py $@ || { rm -f $@; exit 1; }
endef

## build/glasshouse.efi: the hypervisor as a program for UEFI firmware
$(B)/glasshouse.efi: $(DOOR_OBJECTS) $(B)/door/boot/efi/from_firmware.c.o $(B)/door/boot/efi/sbat.S.o $(B)/door/image.o $(EFI_MAKERS)
	$(link_efi)

# Programs for tests.
EFI_GUESTS := $(patsubst guests/efi/%.c,build/guest/%.efi,$(wildcard guests/efi/*.c))

$(EFI_GUESTS): build/guest/%.efi: $(DOOR_OBJECTS) $(B)/door/guests/efi/%.c.o $(EFI_MAKERS)
	$(link_efi)

-include $(DOOR_OBJECTS:.o=.d) $(B)/door/boot/efi/from_grub.c.d $(B)/door/boot/efi/from_firmware.c.d \
	$(wildcard $(B)/door/guests/efi/*.d)
