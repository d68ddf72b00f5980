# SPDX-License-Identifier: GPL-2.0-or-later
"""Module, demeterctl and documentation agree on parameters and files."""

import re
from pathlib import Path

LINUX = Path(__file__).parents[4]
MODULE = (LINUX / "mm/demeter/sysfs.c").read_text()
DEFAULTS = (LINUX / "mm/demeter/core.c").read_text()
TOOL = (LINUX / "tools/mm/demeterctl/tune.c").read_text()
MANUAL = (LINUX / "Documentation/admin-guide/mm/demeter.rst").read_text()
TARGET = (LINUX / "mm/demeter/sysfs_target.c").read_text()
ABI = (LINUX / "Documentation/ABI/testing/sysfs-kernel-mm-demeter").read_text()
REASONS = (LINUX / "mm/demeter/unmanaged.c").read_text()
EXPLAIN = (LINUX / "tools/mm/demeterctl/explain.c").read_text()
STATUS = (LINUX / "tools/mm/demeterctl/status.c").read_text()


def number(text: str) -> int:
    """Of 60000, 1 << 20, 2^20, DEMETER_MAX_RANGES."""
    if text == "DEMETER_MAX_RANGES":
        return 65536
    base, _, shift = text.replace("2^", "1 << ").partition("<<")
    return int(base) << int(shift or 0)


def module() -> dict[str, tuple]:
    """Least, which is 0 where that is allowed besides a range, most, and if only while stopped."""
    found = re.findall(
        r"^PARAM(?:_IF)?\((\w+), ([^,]+), ([^,]+), (\w+)(?:, (true))?\);", MODULE, re.M
    )
    return {
        name: (0 if or_zero else number(low), number(high), only == "true")
        for name, low, high, only, or_zero in found
    }


def test_tool() -> None:
    found = re.findall(r'\{ "(\w+)", "[^"]+", ([^,]+), ([^,]+), (true|false),', TOOL)
    assert {n: (number(a), number(b), o == "true") for n, a, b, o in found} == module()


def test_status_knows_every_counter() -> None:
    """It shows others, too, but by their names."""
    counters = re.findall(r"^COUNTER(?:_OF)?\((\w+)", MODULE, re.M)
    known = re.findall(r'^\t\{ "(\w+)", "[^"]+" \},', STATUS, re.M)
    assert known == [name for name in counters if not name.endswith("_ns")] and len(known) > 10


def test_manual() -> None:
    found = re.findall(r"^(\w+)(\*?) +(\d+) +(0, )?(\S+?)-(\S+) ", MANUAL, re.M)
    ranges = {n: (0 if zero else number(a), number(b), o == "*") for n, o, _, zero, a, b in found}
    assert ranges == module() and len(ranges) > 10
    defaults = dict(re.findall(r"^\t\.(\w+) = ([^,]+),", DEFAULTS, re.M))
    for name, _, default, *_ in found:
        said = {"16 << (20 - PAGE_SHIFT)": "4096", "true": "1"}.get(defaults[name], defaults[name])
        assert default == said, name


def test_abi_describes_every_file() -> None:
    described = re.findall(r"^What:\t\t/sys/kernel/mm/demeter/(\S+)", ABI, re.M)
    root = re.findall(r"&demeter_(?:param_)?(\w+?)(?:_attr)?\.attr(?:\.attr)?,", MODULE)
    stats = [name.removeprefix("counter_") for name in root if name.startswith("counter_")]
    root = [name for name in root if not name.startswith("counter_")]
    root += re.findall(r"&demeter_(\w+)_attr, NULL }", MODULE)
    target = re.findall(r"&demeter_(\w+)_attr(?:\.attr,| })", TARGET.replace(", NULL", ""))
    files = root + [f"stats/{n}" for n in stats] + [f"targets/<pid>/{n}" for n in target]
    assert len(root) > 15 and len(stats) > 10 and len(target) == 11
    assert sorted(described) == sorted(
        [*files, "targets/<pid>/", "files/<number>/", "files/unmapped/"]
    )
    assert len(set(described)) == len(described)
    for name, (low, high, only) in module().items():
        text = ABI.split(f"demeter/{name}\n")[1].split("\nWhat:")[0]
        text = " ".join(text.split())
        if name != "page_counters":
            ends = [str(low), str(high) if high < 1 << 20 else f"2^{high.bit_length() - 1}"]
            said = "from {} to {};".format(*ends) in text
            # a range, and 0 besides
            also_zero = f" to {ends[1]};" in text and " 0: " in text
            assert said or (not low and also_zero), (name, text)
        assert ("EBUSY" in text) == only, name


def test_reasons_are_explained_and_described() -> None:
    """In the order in which they are shown."""
    areas = re.findall(r'\{ "(\w+)", PAGE_EXCHANGE_\w+ \}', REASONS)
    shown = areas + re.findall(r'demeter_unmanaged_print\(buf, len, "(\w+)"', REASONS)
    assert re.findall(r'^\t\{ "(\w+)", (?:true|false),', EXPLAIN, re.M) == shown
    described = ABI.partition("unmanaged\n")[2].partition("Memory of one reason")[0]
    assert re.findall(r"^\t\t(\w+)  +\w", described, re.M) == shown and len(shown) == 12


def test_man_page_has_every_command() -> None:
    folder = LINUX / "tools/mm/demeterctl"
    commands = re.findall(r'\{ "(\w+)", \w+_command \}', (folder / "demeterctl.c").read_text())
    page = (folder / "demeterctl.8").read_text()
    entries = re.findall(r"^\.TP\n\.BR (.*)$", page, re.M)
    named = [name for entry in entries for name in re.findall(r"^\w+|(?<=, \" )\w+", entry)]
    assert sorted(named) == sorted(commands) and len(commands) == 11
