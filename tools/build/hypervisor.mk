# SPDX-License-Identifier: MIT
# Build the hypervisor: from its sources to build/glasshouse.elf; with BUILD_TYPE=debug, to build/debug/glasshouse.elf;
# with ROOMS=, which leaves out what can be left out (vmm/room.h), to build/bare/glasshouse.elf.

ROOMS ?= monitor shadow
B := build$(if $(filter debug,$(BUILD_TYPE)),/debug)$(if $(ROOMS),,/bare)

FOLDERS := $(wildcard boot $(ROOMS) report vmm ept drivers arch lib)
# boot/efi/ is code of another kind: see efi.mk.
SOURCES := $(sort $(shell find $(FOLDERS) -path boot/efi -prune -o -name '[!.]*.[cS]' -print))
OBJECTS := $(SOURCES:%=$(B)/obj/%.o)

$(B)/flags: FORCE
	{ printf '%s\n' '$(CC) $(CFLAGS)' '$(LD) $(LDFLAGS)'; } | { $(if_changed); }

build/version.h: FORCE
	v=$$(git describe --always --dirty --tags 2>/dev/null || echo unknown); \
	printf '#define GLASSHOUSE_VERSION "%s"\n' "$$v" | { $(if_changed); }

# The glyphs for a screen in graphics mode.
build/font/Lat15-VGA16.psf.gz: tools/build/fetch-font | setup-build
	tools/build/fetch-font $(@D)

build/font.h: tools/build/mkfont.py build/font/Lat15-VGA16.psf.gz
	$(PYTHON) $^ | { $(if_changed); }
	touch $@

# What is included from build/.
GENERATED := build/version.h build/font.h

# These run once, or when somebody asks, or when a guest does what guests hardly do: they are made small, the others fast.
SMALL := $(patsubst %,%/%.c,boot drivers monitor report vmm/load) \
	$(patsubst %,arch/x86/%.c,cpu desc firmware fpu lapic native paging smp trap) \
	$(patsubst %,lib/%.c,backtrace integrity memmap number option_help options pages panic print symbols system_map words) \
	$(patsubst %,ept/%.c,memtype prot sppt view) \
	$(patsubst %,vmm/%.c,debug_registers debug_state exception icept init_sipi intercepts kick nmi recorder_text reflect room step trace_stat view vm) \
	$(patsubst %,vmm/vmx/%.c,adjust blocking capability debug controls dump entry_failure efer exceptions heartbeat hidden_features icept ignne intercepts operation ready real_mode setup skip step vmcs_text vmxon_refusal) \
	$(patsubst %,vmm/vm0/%.c,bios cmos cmos_memory create ferr hidden hide_cpus hypercall icr int15 kbc lapic_page leave mcheck memory microcode pic ports power) \
	$(patsubst %,vmm/x86/%.c,breakpoint cpuid cpuid_exits emulate guest_mem guest_walk insn insn_address insn_fpu insn_mem io_string long_mode start start_firmware start_real task_switch unknown)
$(SMALL:%=$(B)/obj/%.o): private CFLAGS += -Os -fno-jump-tables

$(B)/obj/%.c.o: %.c $(B)/flags tools/build/hypervisor.mk | setup-build $(GENERATED)
	$(say) CC $<
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.S.o: %.S $(B)/flags | setup-build
	$(say) AS $<
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/linker.ld: linker.ld arch/x86/layout.h $(B)/flags | setup-build
	$(CC) -E -P -x assembler-with-cpp -iquote . -o $@ $<

# Link twice: first with an empty symbol table, then with the table made from the first link. The table
# lies after all code, so no function moves between the links; the last step checks this.
$(B)/symbols0.S: tools/build/mksyms.awk
	mkdir -p $(@D)
	awk -f tools/build/mksyms.awk </dev/null >$@

$(B)/symbols0.o: $(B)/symbols0.S $(B)/flags | setup-build
	$(CC) $(CFLAGS) -c -o $@ $<

# Link an image: $1 is its folder, $2 its objects, $3 the linker's further options.
define image
$1/pass1.elf: $2 $(B)/symbols0.o $(B)/linker.ld $(B)/flags
	mkdir -p $$(@D)
	$$(LD) $$(LDFLAGS) $3 -T $(B)/linker.ld -o $$@ $2 $(B)/symbols0.o

$1/symbols.S: $1/pass1.elf tools/build/mksyms.awk
	$$(NM) -n $$< | awk -f tools/build/mksyms.awk >$$@

$1/symbols.o: $1/symbols.S $(B)/flags | setup-build
	$$(CC) $$(CFLAGS) -c -o $$@ $$<

$1/glasshouse.elf: $1/pass1.elf $1/symbols.o
	$$(say) LD $$@
	$$(LD) $$(LDFLAGS) $3 -T $(B)/linker.ld -o $$@ $2 $1/symbols.o
	$$(NM) -n $$@ | awk -f tools/build/mksyms.awk | cmp -s - $1/symbols.S || { \
		echo "$$@: functions moved between the two links, so the symbol table is wrong;" \
			"keep .symtab_gh after all code in linker.ld" >&2; rm -f $$@; exit 1; }
endef

## build/glasshouse.elf: the hypervisor (what plain `make` builds)
$(eval $(call image,$(B),$(OBJECTS) $(B)/door.o))

-include $(OBJECTS:.o=.d)

# Build the debug variant, by a separate make.
ifneq ($(BUILD_TYPE),debug)
build/debug/glasshouse.elf: FORCE
	$(MAKE) --no-print-directory BUILD_TYPE=debug $@
endif

# Build the image without rooms, by a separate make.
ifneq ($(ROOMS),)
build/bare/glasshouse.elf: FORCE
	$(MAKE) --no-print-directory ROOMS= $@
endif

## size: print the lines of code of each folder, and those to read to follow one exit or one boot
.PHONY: size
size:
	$(PYTHON) tools/build/size.py
