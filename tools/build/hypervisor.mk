# SPDX-License-Identifier: MIT
# The hypervisor: from its sources to build/glasshouse.elf.

FOLDERS := $(wildcard boot monitor report vmm ept drivers arch lib)
SOURCES := $(sort $(shell find $(FOLDERS) -name '[!.]*.[cS]'))
OBJECTS := $(SOURCES:%=build/obj/%.o)

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
