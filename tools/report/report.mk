# SPDX-License-Identifier: MIT
# Show what a boot of Linux exits for.

## report: all exits of a boot of Linux in Bochs: build/report/report.html, and files for other viewers (CPUS= CPU= OPTS=; SCRIPT= commands of the monitor)
.PHONY: report
report: build/glasshouse.elf build/guest/vmlinuz build/guest/initrd.img | setup-iso setup-run
	$(PYTHON) tools/report/record.py build/report

## report-picture: docs/report.png, from that page, by Chromium (115 MB of packages, which `make setup` leaves out)
.PHONY: report-picture
report-picture: report | setup-picture
	$(PYTHON) tools/report/picture.py build/report/report.html docs/report.png
