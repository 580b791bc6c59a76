# SPDX-License-Identifier: MIT
"""Glasshouse under KVM's nested VT-x, 1 emulated CPU below all."""
import pytest

import inner
import words


@pytest.mark.parametrize("apic", ["x", "x2"])
def test_conforms(outer, apic):
    """Every test of the conformance guest passes."""
    outer.kvm()
    run = outer.machine("conformance", f"cpus=1 apic={apic}")
    assert "# conformance under Glasshouse" in run.text
    assert run.results()


def test_local_apic_is_trapped(outer):
    """A second CPU waits, so the writes to the local APIC's page exit: each reaches its register. In the end the local
    APIC is off, and stops the second CPU nevertheless."""
    outer.kvm()
    run = outer.machine("conformance", f"cpus=1 apicoff=2 {inner.NMIS_OF_ROOT_MODE}", cpus=2)
    assert run.results()
    assert words.VIRT_OFF in run.log


def test_survives(outer):
    """The random guest comes to its end, and Glasshouse still answers."""
    outer.kvm()
    run = outer.machine("monkey", "cpus=1 seed=1 n=300")
    assert run.results()
    assert "defect of Glasshouse" not in run.log
    assert "Glasshouse's code and constants are unchanged" in run.log


def test_linux(outer):
    """Debian's Linux: userland, and its power-off."""
    outer.kvm()
    run = outer.machine("linux", "gh.cpus=1")
    assert run.results()


def test_conforms_without_ept(outer):
    """Shadow page tables where KVM offers no EPT."""
    outer.kvm("ept=0")
    run = outer.machine("conformance", "cpus=1 apic=x")
    assert "Memory    shadow page tables: the CPU lacks EPT" in run.text
    assert run.results()
