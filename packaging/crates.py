# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints which crates our programs are linked with, and the texts of their licences.

Cargo says which, from Cargo.lock; texts are what the crates bring. Equal texts come once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

CARGO = Path(__file__).resolve().parents[1] / "cloud-hypervisor/cargo"
PROGRAMS = ("tiered-balloon", "tierctl", "tierd", "demeter-host")
TEXT = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)\b.*", re.I)


def linked(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the packages of others that the programs depend on when they run."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found: set[str] = set()
    todo = [id for id, package in packages.items() if package["name"] in PROGRAMS]
    while todo:
        id = todo.pop()
        if id in found:
            continue
        found.add(id)
        for dep in nodes[id]["deps"]:
            if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])
    others = [packages[id] for id in found if packages[id]["source"]]
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def texts(package: dict[str, Any]) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if TEXT.fullmatch(path.name))
    return [path.read_text(errors="replace").strip() for path in files if path.is_file()]


def main() -> int:
    done = subprocess.run(
        [CARGO, "metadata", "--format-version=1", "--locked",
         "--filter-platform=x86_64-unknown-linux-gnu"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    users: dict[str, list[str]] = {}
    print("Crates that the programs are linked with, and their licences:\n")
    for package in linked(json.loads(done.stdout)):
        name = f"{package['name']} {package['version']}"
        print(f"{name}: {package['license']}")
        for text in texts(package):
            users.setdefault(text, []).append(name)
    for text, names in users.items():
        print(f"\n{'=' * 72}\n{', '.join(names)}:\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
