# SPDX-License-Identifier: MIT
. /tests/tap.inc
plan 1
ok true "userland"
