# SPDX-License-Identifier: MIT
# The labs (labs/README.md): list, run, check. The number in a target is the lab's: lab-1 is labs/01-...

LABS := $(notdir $(wildcard labs/[0-9]*))
LAB_GUESTS := $(LABS:%=build/guest/lab-%.img)
$(foreach g,$(patsubst labs/%/guest/main.c,%,$(wildcard labs/*/guest/main.c)),$(eval $(call own_guest,labs/$g/guest,lab-$g)))

# The guest of this lab is Linux, with two modules and a script more.
LAB_LINUX := build/guest/lab-09-inspector.img
LAB_LINUX_FILES := $(wildcard labs/09-inspector/guest/*.[ch] labs/09-inspector/guest/*.sh)

$(LAB_LINUX): tools/image/mkmodule tools/image/append $(LAB_LINUX_FILES) build/guest/initrd.img build/guest/vmlinuz | setup-build setup-test
	$(say) KO $@
	tools/image/mkmodule $@ $(LAB_LINUX_FILES)

LAB_NUMBERS := $(foreach g,$(LABS),$(patsubst 0%,%,$(firstword $(subst -, ,$g))))

# In a handout (handout.py) the folder with the objects of what students are to write, and of all else; in the tree: nothing.
SHIPPED := $(wildcard shipped)
ifneq ($(SHIPPED),)
.DEFAULT_GOAL := labs
endif

# What tools/labs/lab.py needs, for all labs but lab 9. It builds a lab's image by a make of its own: see below.
LAB_FILES := $(if $(SHIPPED),,build/glasshouse.elf) $(filter-out $(LAB_LINUX),$(LAB_GUESTS))
lab-9 lab-9-check: $(LAB_LINUX)
export SEED SOLUTION BROKEN BOOT

## labs: list the labs, and which of their tests passed when they were checked last
.PHONY: labs
labs: | setup-run
	$(PYTHON) tools/labs/lab.py list

## lab-N: build lab N with your files, and run it on this terminal, with the monitor (Ctrl-T)
.PHONY: $(LAB_NUMBERS:%=lab-%)
$(LAB_NUMBERS:%=lab-%): lab-%: $(LAB_FILES) | setup-iso setup-run
	$(PYTHON) tools/labs/lab.py run $*

## lab-N-check: grade lab N (SEED= your number; SOLUTION=1: the tree's own files instead of yours)
.PHONY: $(LAB_NUMBERS:%=lab-%-check)
$(LAB_NUMBERS:%=lab-%-check): lab-%-check: $(LAB_FILES) | setup-iso setup-run
	$(PYTHON) tools/labs/lab.py check $*

## lab-N-hint: more about the first test that failed
.PHONY: $(LAB_NUMBERS:%=lab-%-hint)
$(LAB_NUMBERS:%=lab-%-hint): lab-%-hint: | setup-run
	$(PYTHON) tools/labs/lab.py hint $*

## handin: build/handin.tar.gz, with your files and answers, the results of the last checks, your SEED, the version
.PHONY: handin
handin: | setup-run
	$(PYTHON) tools/labs/lab.py handin

## labs-iso: build/labs.iso, with a menu of all labs as you have them, for a real machine (SEED=)
.PHONY: labs-iso
labs-iso: $(LAB_FILES) $(if $(SHIPPED),,$(LAB_LINUX)) | setup-iso setup-efi setup-run
	$(PYTHON) tools/labs/lab.py iso

ifeq ($(SHIPPED),)
## handout: build/handout.tar.gz, the tree for students, without what they are to write; and build/handout.iso, which boots the labs
.PHONY: handout
handout: build/glasshouse.elf $(LAB_FILES) $(LAB_LINUX) | setup-iso setup-efi setup-run
	$(PYTHON) tools/labs/handout.py build/handout iso
endif

# ---- A lab's image ---------------------------------------------------------------------------
# $(LAB): the lab's folder in labs/. $(HOLES): a folder whose files take the place of the tree's of the same names;
# what includes one of them is compiled again. $(LAB_OUT): where the image goes; seed.h is there already. All other
# objects are the hypervisor's, and those of the lab's folder and its check/. The check calls functions of the
# hypervisor's by the linker's --wrap: it has __wrap_NAME, and calls the function by __real_NAME.

ifneq ($(LAB_OUT),)
LAB_HOLES := $(patsubst $(HOLES)/%,%,$(wildcard $(HOLES)/*/*.* $(HOLES)/*/*/*.* $(HOLES)/*/*/*/*.*))
LAB_CHECK := $(if $(LAB),$(wildcard labs/common/*.c labs/$(LAB)/*.c labs/$(LAB)/check/*.[cS]))
LAB_WRAP := $(if $(LAB),$(patsubst __wrap_%,--wrap=%,$(sort $(shell grep -oh '__wrap_[a-z0-9_]*' $(LAB_CHECK)))))
LAB_CFLAGS = -iquote $(LAB_OUT) -iquote $(HOLES) $(CFLAGS)

# In the tree, what includes a hole file is compiled again. In a handout, an included file is a piece with an object of its
# own (pieces.py), which the student's takes the place of. To make a handout, both are done.
LAB_PIECES := $(filter %.inc %.h,$(LAB_HOLES))
LAB_INCLUDERS := $(if $(SHIPPED),,$(foreach f,$(LAB_PIECES),$(patsubst $(B)/obj/%.d,%,$(shell grep -lwF '$f' $(OBJECTS:.o=.d)))))
LAB_COMPILED := $(sort $(filter %.c %.S,$(LAB_HOLES)) $(LAB_INCLUDERS) $(if $(SHIPPED)$(if $(LAB),,handout),$(LAB_PIECES)))
LAB_OTHERS := $(if $(SHIPPED),\
	$(filter-out $(LAB_HOLES:%=$(SHIPPED)/obj/%.o),$(shell find $(SHIPPED) -path '$(SHIPPED)/obj/*.o')),\
	$(patsubst %,$(B)/obj/%.o,$(filter-out $(LAB_COMPILED),$(SOURCES))))
LAB_OBJECTS := $(patsubst %,$(LAB_OUT)/obj/%.o,$(sort $(LAB_CHECK) $(LAB_COMPILED))) $(LAB_OTHERS)

define lab_object
$(say) CC $<
mkdir -p $(@D)
$(CC) $(LAB_CFLAGS) -MMD -MP -c -o $@ $1
endef

# The piece of the student's file; to make a handout, of the tree's.
LAB_PIECES_FROM := $(if $(LAB),$(HOLES)/)
define lab_piece
mkdir -p $(@D)
$(PYTHON) tools/labs/pieces.py $< $(<:$(LAB_PIECES_FROM)%=%) >$(@:.o=$1)
$(call lab_object,$(@:.o=$1))
endef

$(LAB_OUT)/obj/%.h.o: $(LAB_PIECES_FROM)%.h $(B)/flags tools/labs/pieces.py
	$(call lab_piece,.c)

$(LAB_OUT)/obj/%.inc.o: $(LAB_PIECES_FROM)%.inc $(B)/flags tools/labs/pieces.py
	$(call lab_piece,.S)

# The first rule whose file exists is used.
$(LAB_OUT)/obj/%.o: $(HOLES)/% $(B)/flags tools/labs/labs.mk
	$(call lab_object,$<)

$(LAB_OUT)/obj/%.o: % $(B)/flags tools/labs/labs.mk
	$(call lab_object,$<)

# For handout.py: compile them all, and write their names.
$(LAB_OUT)/objects: $(LAB_OBJECTS)
	printf '%s\n' $(LAB_OBJECTS) >$@

$(eval $(call image,$(LAB_OUT),$(LAB_OBJECTS) $(or $(SHIPPED:%=%/door.o),$(B)/door.o),$(LAB_WRAP)))
-include $(patsubst %,$(LAB_OUT)/obj/%.d,$(LAB_CHECK) $(LAB_COMPILED))
endif
