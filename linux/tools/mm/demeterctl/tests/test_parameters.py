# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters are the same in the module, in demeterctl and in the documentation."""

import re
from pathlib import Path

LINUX = Path(__file__).parents[4]
MODULE = (LINUX / "mm/demeter/sysfs.c").read_text()
DEFAULTS = (LINUX / "mm/demeter/core.c").read_text()
TOOL = (LINUX / "tools/mm/demeterctl/tune.c").read_text()
MANUAL = (LINUX / "Documentation/admin-guide/mm/demeter.rst").read_text()


def number(text: str) -> int:
    """Of 60000, 1 << 20, 2^20, DEMETER_MAX_RANGES."""
    if text == "DEMETER_MAX_RANGES":
        return 65536
    base, _, shift = text.replace("2^", "1 << ").partition("<<")
    return int(base) << int(shift or 0)


def module() -> dict[str, tuple]:
    found = re.findall(r"^PARAM\((\w+), ([^,]+), ([^,]+), (\w+)\);", MODULE, re.M)
    return {name: (number(low), number(high), only == "true") for name, low, high, only in found}


def test_tool() -> None:
    found = re.findall(r'\{ "(\w+)", "[^"]+", ([^,]+), ([^,]+), (true|false),', TOOL)
    assert {n: (number(a), number(b), o == "true") for n, a, b, o in found} == module()


def test_manual() -> None:
    found = re.findall(r"^(\w+)(\*?) +(\d+) +(\S+?)-(\S+) ", MANUAL, re.M)
    ranges = {n: (number(a), number(b), o == "*") for n, o, _, a, b in found}
    assert ranges == module() and len(ranges) > 10
    defaults = dict(re.findall(r"^\t\.(\w+) = ([^,]+),", DEFAULTS, re.M))
    for name, _, default, *_ in found:
        said = {"16 << (20 - PAGE_SHIFT)": "4096", "true": "1"}.get(defaults[name], defaults[name])
        assert default == said, name
