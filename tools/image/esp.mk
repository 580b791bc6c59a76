# SPDX-License-Identifier: MIT
# Build what the tests and the emulators need for UEFI.

# ACPI's description of Bochs' PC.
build/guest/dsdt.aml: guests/efi/dsdt.asl | setup-efi
	$(say) ASL $@
	mkdir -p $(@D)
	iasl -va -p $(@:.aml=) $< >/dev/null

## image-esp: build/esp and build/esp.zip: the folder EFI/glasshouse, to be copied to an EFI system partition
.PHONY: image-esp
image-esp: build/glasshouse.efi tools/image/glasshouse.conf build/glasshouse-log
	$(say) ZIP build/esp.zip
	rm -rf build/esp build/esp.zip
	mkdir -p build/esp/EFI/glasshouse
	cp $^ build/esp/EFI/glasshouse/
	cd build/esp && $(PYTHON) -m zipfile -c ../esp.zip EFI

## sign-efi: build/signed/glasshouse.efi, signed for Secure Boot (KEY= CERT= files in PEM form; FILE= another program)
FILE ?= build/glasshouse.efi
.PHONY: sign-efi
sign-efi: $(FILE) | setup-sign
	mkdir -p build/signed
	tools/image/sign '$(KEY)' '$(CERT)' '$(FILE)' build/signed/$(notdir $(FILE))

EFI_FILES := $(EFI_GUESTS) build/guest/dsdt.aml
