# SPDX-License-Identifier: GPL-2.0-or-later
"""The ACPI table that tells a guest's kernel how fast its nodes are (HMAT).

QEMU makes one of its own. For a hypervisor that has none, the kernel takes this one from the
first archive of the initramfs (CONFIG_ACPI_TABLE_UPGRADE; Linux,
Documentation/admin-guide/acpi/initrd_table_override.rst): without it, all nodes would be in one
memory tier. Its form is that of ACPI 6.4, section 5.2.28.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..provision.provision import Node
from ..settings import Settings
from . import machine

PLACE = "/kernel/firmware/acpi/hmat.aml"

REVISION = 2
OEM = (b"DEMETR", b"DEMETER ", 1, b"DMTR", 1)
# signature, length, revision, checksum; of the OEM: its ID, the table's ID and revision, the ID
# of what made the table and its revision; reserved
HEADER = struct.Struct("<4sIBB6s8sI4sI4x")
CHECKSUM = 9  # its place
# type, length, flags, the initiator's domain, the memory's; what is between them is reserved
ATTRIBUTES = struct.Struct("<HxxIHxxII20x")
# type, length, flags, data type, initiators, targets, base unit; then come the lists and entries
LOCALITY = struct.Struct("<HxxIBBxxII4xQ")
INITIATOR_VALID = 1
ACCESS_LATENCY, ACCESS_BANDWIDTH = 0, 3
UNIT = 1000  # of ps, and of MB/s
MAX_ENTRY = 0xFFFE  # the one above means that the target cannot be reached


def attributes(node: int) -> bytes:
    """A node's memory, which belongs to the processors of node 0."""
    return ATTRIBUTES.pack(0, ATTRIBUTES.size, INITIATOR_VALID, 0, node)


def locality(kind: int, values: Sequence[int]) -> bytes:
    """What accesses from node 0 to each node have, in ns or GB/s."""
    # coarser than that only when a value has more than 16 bits
    unit = -(-max(values) // MAX_ENTRY)
    entries = [max(1, value // unit) for value in values]
    nodes = len(values)
    lists = struct.pack(f"<I{nodes}I{nodes}H", 0, *range(nodes), *entries)
    size = LOCALITY.size + len(lists)
    return LOCALITY.pack(1, size, 0, kind, 1, nodes, unit * UNIT) + lists


def table(values: Sequence[tuple[int, int]]) -> bytes:
    """The whole table of nodes with these latencies (ns) and bandwidths (GB/s)."""
    latencies, bandwidths = zip(*values, strict=True)
    body = b"".join(
        [
            *map(attributes, range(len(values))),
            locality(ACCESS_LATENCY, latencies),
            locality(ACCESS_BANDWIDTH, bandwidths),
        ]
    )
    made = bytearray(HEADER.pack(b"HMAT", HEADER.size + len(body), REVISION, 0, *OEM) + body)
    made[CHECKSUM] = -sum(made) % 256
    return bytes(made)


def files(s: Settings, nodes: list[Node]) -> dict[str, bytes]:
    """The table of a VM with these nodes, at its place in the initramfs."""
    return {PLACE: table([machine.hmat(s, node.tier) for node in nodes])}
