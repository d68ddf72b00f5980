# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of latencies and bandwidths that a guest's kernel takes from its initramfs."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from demeter_bench.platforms import hmat
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.provision.provision import Node
from demeter_bench.settings import MIB, Settings
from demeter_bench.vm import Run, write_initrd


def structures(table: bytes) -> list[tuple[int, bytes]]:
    """(type, content) of each structure of the table, by their lengths."""
    found, place = [], 40
    while place < len(table):
        kind, _, length = struct.unpack_from("<HHI", table, place)
        found.append((kind, table[place + 8 : place + length]))
        place += length
    assert place == len(table)
    return found


def localities(table: bytes) -> dict[int, list[int]]:
    """Data type -> values from initiator 0 to each target, in ps or MB/s."""
    found = {}
    for kind, content in structures(table):
        if kind == 1:
            flags, data, _, initiators, targets, _, base = struct.unpack_from("<BBHIIIQ", content)
            lists = struct.unpack_from(f"<{initiators + targets}I", content, 24)
            assert (flags, *lists) == (0, 0, *range(targets))
            entries = struct.unpack(f"<{targets}H", content[24 + 4 * len(lists) :])
            assert max(entries) < 0xFFFF
            found[data] = [base * entry for entry in entries]
    return found


@pytest.mark.parametrize("values", [[(69, 88), (177, 21)], [(69, 88)]])
def test_the_table_has_what_was_put_into_it(values: list[tuple[int, int]]):
    table = hmat.table(values)
    signature, length, revision = struct.unpack_from("<4sIB", table)
    assert (signature, length, revision) == (b"HMAT", len(table), 2)
    assert sum(table) % 256 == 0 and table[36:40] == bytes(4)
    kinds = [kind for kind, _ in structures(table)]
    assert kinds == [0] * len(values) + [1, 1]
    for node, (_, content) in enumerate(structures(table)[: len(values)]):
        assert struct.unpack("<HHII20x", content) == (1, 0, 0, node)
    assert localities(table) == {
        0: [1000 * latency for latency, _ in values],
        3: [1000 * bandwidth for _, bandwidth in values],
    }


def test_values_of_more_than_16_bits_are_coarser():
    found = localities(hmat.table([(1, 1_000_000), (1_000_000, 1)]))
    assert found[0][1] == pytest.approx(1e9, rel=1e-4) and found[0][0] < 100_000
    assert found[3][0] == pytest.approx(1e9, rel=1e-4) and found[3][1] > 0


def test_the_table_is_in_the_first_archive(settings: Settings, tmp_path: Path):
    image = tmp_path / "image"
    image.write_bytes(b"image")
    nodes = [Node(tier, 256 * MIB, 256 * MIB) for tier in ("fast", "slow")]
    write_initrd(image, {"run": "true\n"}, tmp_path, tables=hmat.files(settings, nodes))
    archive = (tmp_path / "initrd").read_bytes()
    table = hmat.table([(69, 88), (177, 21)])
    name, content, rest = map(archive.index, (b"kernel/firmware/acpi/hmat.aml\0", table, b"image"))
    assert archive.startswith(b"070701") and name < content < rest
    assert content % 4 == 0 and rest % 4 == 0
    assert (tmp_path / "kernel/firmware/acpi/hmat.aml").read_bytes() == table


class Tabled(Emulated):
    """The emulated machine, whose table comes with the initramfs instead of from QEMU."""

    def _machine(self, *args: object) -> list[str]:
        line = "\n".join(super()._machine(*args))
        line = re.sub(r"\n-numa\nhmat-lb,.*", "", line)
        return line.replace("hmat=on", "hmat=off").replace(",initiator=0", "").split("\n")

    def tables(self, s: Settings, nodes: list[Node]) -> dict[str, bytes]:
        return hmat.files(s, nodes)


def test_the_kernel_forms_two_tiers_by_it(boot: Callable[..., Run]):
    """Each node is in a tier of its own, and is as fast as the table says."""
    perf = "/sys/devices/system/node/node1/access0/initiators"
    run = boot(
        "cat /sys/devices/virtual/memory_tiering/memory_tier*/nodelist\n"
        f"cat {perf}/read_latency {perf}/read_bandwidth",
        platform=Tabled,
    )
    assert (run.state, run.error) == ("done", "")
    *tiers, latency, bandwidth = (run.guest / "stdout").read_text().split()
    assert sorted(tiers) == ["0", "1"]
    assert (latency, bandwidth) == ("177", "21000")
    assert "HMAT ACPI table found in initrd" in (run.guest / "dmesg").read_text()
