# SPDX-License-Identifier: MIT
"""Names for the guest's addresses, from a list as `nm -n` prints it: System.map, /proc/kallsyms."""
import bisect
import re


class Symbols:
    """A list of symbols; an empty one names nothing."""

    def __init__(self, text=""):
        found = sorted((int(address, 16), name) for address, name in
                       re.findall(r"^([0-9a-f]+) \w (\S+)", text, re.M) if int(address, 16))
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def name(self, address):
        """function+offset for an address, or the address in hexadecimal."""
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or address - self.addresses[at] >= 1 << 20:
            return f"{address:x}"
        return f"{self.names[at]}+{address - self.addresses[at]:x}"

    def function(self, address):
        """The same without the offset."""
        return self.name(address).partition("+")[0]
