# SPDX-License-Identifier: MIT
"""Makes report.html: one file with all that it needs, from page.html and the recorded exits."""
import json
from pathlib import Path

PAGE = Path(__file__).with_name("page.html")


class Numbered(dict):
    """Values, each with a number, in the order in which they come."""

    def __missing__(self, value):
        self[value] = len(self)
        return self[value]


def page(trace, symbols, title, label):
    """The page's text."""
    reasons, abouts, rips = Numbered(), Numbered(), Numbered()
    exits = []
    for exit_ in trace.exits:
        took = None if exit_.left is None else trace.ns(exit_.left - exit_.exited)
        exits.append([exit_.vcpu, reasons[exit_.name], trace.ns(exit_.exited - trace.start), took,
                      trace.ns(exit_.exited - exit_.entered), abouts[exit_.about], rips[symbols.name(exit_.rip)],
                      f"{exit_.qualification:x}", exit_.vector])
    for vcpu in trace.vcpus:
        for name in vcpu.counts:
            if name != "PREEMPTION_TIMER":
                reasons[name]  # pylint: disable=pointless-statement
    data = {"title": title, "label": label, "khz": trace.khz, "reasons": list(reasons), "abouts": list(abouts),
            "rips": list(rips), "exits": exits,
            "vcpus": [{"number": vcpu.number, "counts": vcpu.counts} for vcpu in trace.vcpus]}
    # "</script>" must not end the script.
    return PAGE.read_text().replace("/*DATA*/null", json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))
