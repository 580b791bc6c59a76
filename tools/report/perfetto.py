# SPDX-License-Identifier: MIT
"""Writes the recorded exits as a trace for https://ui.perfetto.dev: the VM is a process, each vCPU a thread.

The numbers of the fields are those of Perfetto's public .proto files; tests/report/perfetto.proto has the same.
"""
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


def slice_(trace, vcpu, begin, end, content):
    """The two events of a slice."""
    track = number_field(11, thread_track(vcpu))
    return (event(trace.ns(begin - trace.start), number_field(9, SLICE_BEGIN) + track + content) +
            event(trace.ns(end - trace.start), number_field(9, SLICE_END) + track))


def trace_bytes(trace, symbols):
    """All of the file. A slice for each exit, and one for the guest before it; an arrow (a flow) from an exit to the
    guest to whom the next entry delivered an event."""
    out = [descriptors(trace)]
    flow = 0
    for vcpu in trace.vcpus:
        delivered = b""
        for exit_ in vcpu.exits:
            out.append(slice_(trace, vcpu.number, exit_.entered, exit_.exited,
                              bytes_field(23, "guest") + bytes_field(22, "guest") + delivered))
            content = bytes_field(23, exit_.name) + bytes_field(22, "exit")
            content += annotation("rip", symbols.name(exit_.rip)) + annotation("qualification", exit_.qualification)
            if exit_.about:
                content += annotation("about", exit_.about)
            delivered = b""
            if exit_.vector is not None:
                flow += 1
                content += annotation("delivers", f"vector {exit_.vector}") + fixed_field(47, flow)
                delivered = fixed_field(48, flow)
            left = exit_.exited if exit_.left is None else exit_.left
            out.append(slice_(trace, vcpu.number, exit_.exited, left, content))
    return b"".join(out)
