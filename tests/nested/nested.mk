# SPDX-License-Identifier: MIT
# KVM as the outer hypervisor: Bochs runs Debian's Linux with KVM, QEMU there runs Glasshouse.

NESTED := build/nested

$(NESTED)/vmlinuz: tools/image/fetch-guest | setup-guest
	tools/image/fetch-guest $(NESTED) modules

$(NESTED)/outer.img: tests/nested/mkouter.py tests/nested/init tools/image/mkdisk.py tools/run/bochs.py \
		$(NESTED)/vmlinuz build/guest/busybox /usr/bin/qemu-system-x86_64 | setup-build setup-iso setup-nested
	$(say) DISK $@
	$(PYTHON) tests/nested/mkouter.py $@ $(NESTED)

# Only where it is not installed yet.
/usr/bin/qemu-system-x86_64: | setup-nested

NESTED_FILES := build/glasshouse.elf $(GUEST_FILES) $(NESTED)/outer.img

## test-nested: Glasshouse under KVM's nested VT-x, in Bochs (K=expression chooses, as pytest's -k)
.PHONY: test-nested soak-nested
test-nested: $(NESTED_FILES) | setup-iso setup-run setup-test
	$(PYTHON) -m pytest -p no:cacheprovider --durations=0 tests/nested -m 'not soak' $(if $(K),-k '$(K)')

# The long tests, for `make soak`.
soak-nested: $(NESTED_FILES) | setup-iso setup-run setup-test
	$(PYTHON) -m pytest -p no:cacheprovider --durations=0 tests/nested -m soak $(if $(K),-k '$(K)')
