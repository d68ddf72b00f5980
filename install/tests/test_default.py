# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a new entry would be what the boot loader takes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from demeter_install import default

MINE = "linux-6.12.90-demeterhost.conf"


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(default, "VARIABLES", f"{tmp_path}/{{}}")
    return tmp_path


# In each case debian.conf is the default now.
@pytest.mark.parametrize(
    ("chosen", "last", "conf", "becomes"),
    [
        # loader.conf
        ("", "", "default debian.conf", False),
        ("", "", "timeout 3\n  default\tDEBIAN*  \n", False),
        ("", "", "default debian*\ndefault other*", True),
        ("", "", "#default debian.conf", True),
        ("", "", "default linux-*", True),
        ("", "", "default *", True),
        ("", "", "default", True),
        # bootctl set-default, which counts more
        ("debian.conf", "", "default linux-*", False),
        ("linux-*", "", "default debian.conf", True),
        ("linux-*-old.conf", "", "default debian.conf", False),
        ("*", "", "default debian.conf", True),
        # the one that was booted last
        ("", "debian.conf", "default @saved", False),
        ("@saved", "debian.conf", "default linux-*", False),
        ("@saved", MINE, "default debian.conf", True),
        ("@saved", "", "", True),
        ("", "debian.conf", "", True),
    ],
)
def test_what_names_the_default(variables: Path, chosen: str, last: str, conf: str, becomes: bool):
    for name, value in {"LoaderEntryDefault": chosen, "LoaderEntryLastBooted": last}.items():
        if value:
            data = b"\7\0\0\0" + f"{value}\0".encode("utf-16-le")
            (variables / name).write_bytes(data)
    patterns = default.patterns(conf.encode())
    found = default.takes_over([MINE], {"id": "debian.conf", "sort-key": "fedora"}, patterns)
    assert found == becomes


@pytest.mark.parametrize(
    ("key", "becomes"), [("debian", False), ("demeter", True), ("ubuntu", True)]
)
@pytest.mark.parametrize("patterns", [[], ["", ""], ["*"], ["other"]])
def test_the_first_by_sort_key(key: str, becomes: bool, patterns: list[str]):
    assert default.takes_over([MINE], {"id": "x.conf", "sort-key": key}, patterns) == becomes
    assert default.takes_over([MINE], {"id": "x.conf"}, patterns)
