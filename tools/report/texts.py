# SPDX-License-Identifier: MIT
"""The recorded exits as text: KVM's trace points as `trace-cmd report` prints them, and stacks for flame graphs."""
from collections import Counter


def _seconds(trace, ticks):
    ns = trace.ns(ticks)
    return f"{ns // 1_000_000_000:5}.{ns // 1000 % 1_000_000:06}"


def tracepoints(trace):
    """The lines kvm_entry and kvm_exit of all vCPUs, in the order of their times."""
    lines = []
    for exit_ in trace.exits:
        head = f"{f'vcpu-{exit_.vcpu}':>16}-{exit_.vcpu:<6} [{exit_.vcpu:03}]"
        lines.append((exit_.entered, f"{head} {_seconds(trace, exit_.entered)}: kvm_entry:            "
                                     f"vcpu {exit_.vcpu}"))
        lines.append((exit_.exited, f"{head} {_seconds(trace, exit_.exited)}: kvm_exit:             "
                                    f"vcpu {exit_.vcpu} reason {exit_.name} rip 0x{exit_.rip:x} "
                                    f"info1 0x{exit_.qualification:016x}"))
        if exit_.vector is not None and exit_.left is not None:
            lines.append((exit_.left, f"{head} {_seconds(trace, exit_.left)}: kvm_inj_exception:    "
                                      f"vector {exit_.vector}"))
    lines.sort(key=lambda line: line[0])
    return "".join(f"{line}\n" for line in [f"cpus={len(trace.vcpus)}", *(text for _, text in lines)])


def stacks(trace, symbols):
    """Collapsed stacks (flamegraph.pl, speedscope): where the nanoseconds outside of the guest went."""
    total = Counter()
    for exit_ in trace.exits:
        if exit_.left is None:
            continue
        frames = ["VM 0", f"vCPU {exit_.vcpu}", exit_.name, exit_.about, symbols.function(exit_.rip)]
        total[";".join(filter(None, frames))] += trace.ns(exit_.left - exit_.exited)
    return "".join(f"{stack} {ns}\n" for stack, ns in sorted(total.items()))
