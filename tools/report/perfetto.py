# SPDX-License-Identifier: MIT
"""Writes the recorded exits as a trace for https://ui.perfetto.dev: the VM is a process, each vCPU a thread.

The numbers of the fields are those of Perfetto's public .proto files; tests/report/perfetto.proto has the same.
"""
import bisect

import steps

VARINT, FIXED64, BYTES = 0, 1, 2

# TrackEvent.Type.
SLICE_BEGIN, SLICE_END = 1, 2

SEQUENCE = 1
STATE_CLEARED = 1  # TracePacket.SequenceFlags
PROCESS = 1  # the VM's number as a process, and its track


def varint(number):
    """A number in protobuf's base 128."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(field, value):
    """An integer field."""
    return varint(field << 3 | VARINT) + varint(value)


def fixed_field(field, value):
    """A field of the type fixed64."""
    return varint(field << 3 | FIXED64) + value.to_bytes(8, "little")


def bytes_field(field, value):
    """A string, or a message within a message."""
    if isinstance(value, str):
        value = value.encode()
    return varint(field << 3 | BYTES) + varint(len(value)) + value


def packet(content):
    """One TracePacket, within a Trace."""
    return bytes_field(1, content + number_field(10, SEQUENCE))


def thread_track(vcpu):
    """The number of a vCPU's track."""
    return 100 + vcpu


def descriptors(trace):
    """The packets that describe the VM and its vCPUs."""
    process = number_field(1, PROCESS) + bytes_field(6, "VM 0")
    track = number_field(1, PROCESS) + bytes_field(3, process)
    out = packet(bytes_field(60, track) + number_field(13, STATE_CLEARED))
    for vcpu in trace.vcpus:
        thread = (number_field(1, PROCESS) + number_field(2, thread_track(vcpu.number)) +
                  bytes_field(5, f"vCPU {vcpu.number}"))
        track = (number_field(1, thread_track(vcpu.number)) + number_field(5, PROCESS) + bytes_field(4, thread))
        out += packet(bytes_field(60, track))
    return out


def event(ns, content):
    """A packet with a TrackEvent."""
    return packet(number_field(8, ns) + bytes_field(11, content))


def annotation(name, value):
    """A DebugAnnotation of a TrackEvent: a string, or an address."""
    kind = bytes_field(6, value) if isinstance(value, str) else number_field(7, value)
    return bytes_field(4, bytes_field(10, name) + kind)


def begin_(trace, vcpu, ticks, content):
    """The event that begins a slice. The last slice that has begun on a track is the first to end."""
    return event(trace.ns(ticks - trace.start),
                 number_field(9, SLICE_BEGIN) + number_field(11, thread_track(vcpu)) + content)


def end_(trace, vcpu, ticks):
    """The event that ends a slice."""
    return event(trace.ns(ticks - trace.start), number_field(9, SLICE_END) + number_field(11, thread_track(vcpu)))


def named(name, category):
    """A slice's name and category."""
    return bytes_field(23, name) + bytes_field(22, category)


class Flows:
    """The arrows: numbers, which stand where an arrow begins, and again where it ends."""

    def __init__(self, trace):
        self.last = 0
        self.begins, self.ends = {}, {}  # by (vCPU, time) of an exit; by (vCPU, time) of an exit or of an entry
        kicking = {vcpu.number: [e for e in vcpu.exits if e.kicks] for vcpu in trace.vcpus}  # by time
        for exit_ in trace.exits:
            if exit_.vector is not None:
                self._add(exit_, exit_.left)
            if exit_.kicked_by is not None:
                self._add_kick(exit_, kicking.get(exit_.kicked_by, []))

    def _add(self, source, to_time, to_vcpu=None):
        self.last += 1
        to_vcpu = source.vcpu if to_vcpu is None else to_vcpu
        self.begins.setdefault((source.vcpu, source.exited), []).append(self.last)
        self.ends.setdefault((to_vcpu, to_time), []).append(self.last)

    def _add_kick(self, exit_, kicking):
        """From the last exit in which it can have been kicked; to the exit; or, if that is older, to the entry after it."""
        n = len(kicking) if exit_.left is None else bisect.bisect_left(kicking, exit_.left, key=lambda e: e.exited)
        if n:
            source = kicking[n - 1]
            self._add(source, exit_.exited if exit_.exited >= source.exited else exit_.left, exit_.vcpu)

    def at_exit(self, exit_):
        """The fields for an exit's slice."""
        at = (exit_.vcpu, exit_.exited)
        return (b"".join(fixed_field(47, flow) for flow in self.begins.get(at, [])) +
                b"".join(fixed_field(48, flow) for flow in self.ends.get(at, [])))

    def at_entry(self, exit_):
        """The fields for the slice of the guest before an exit."""
        return b"".join(fixed_field(48, flow) for flow in self.ends.get((exit_.vcpu, exit_.entered), []))


def exit_slices(trace, exit_, symbols, flows):
    """A slice for an exit, and in it, as its call stack, one for each function that handles it: of those no times are
    known, so they last as long."""
    content = named(exit_.name, "exit")
    content += annotation("rip", symbols.name(exit_.rip)) + annotation("qualification", exit_.qualification)
    if exit_.about:
        content += annotation("about", exit_.about)
    if exit_.vector is not None:
        content += annotation("delivers", f"vector {exit_.vector}")
    if exit_.kicked_by is not None:
        content += annotation("kicked by", f"vCPU {exit_.kicked_by}")
    out = [begin_(trace, exit_.vcpu, exit_.exited, content + flows.at_exit(exit_))]
    stack = steps.functions(exit_.name)
    for ours, kvm in stack:
        told = named(ours, "step") + (annotation("in KVM 6.1", kvm) if kvm else b"")
        out.append(begin_(trace, exit_.vcpu, exit_.exited, told))
    left = exit_.exited if exit_.left is None else exit_.left
    return b"".join(out) + end_(trace, exit_.vcpu, left) * (1 + len(stack))


def trace_bytes(trace, symbols):
    """All of the file. A slice for each exit, and one for the guest before it; an arrow (a flow) from an exit to the
    guest to whom the next entry delivered an event, and from where a vCPU kicked another one to the exit of that."""
    flows = Flows(trace)
    out = [descriptors(trace)]
    for exit_ in (e for vcpu in trace.vcpus for e in vcpu.exits):
        guest = named("guest, one step" if exit_.step else "guest", "guest")
        out.append(begin_(trace, exit_.vcpu, exit_.entered, guest + flows.at_entry(exit_)))
        out.append(end_(trace, exit_.vcpu, exit_.exited))
        out.append(exit_slices(trace, exit_, symbols, flows))
    return b"".join(out)
