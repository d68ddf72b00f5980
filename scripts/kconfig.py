# SPDX-License-Identifier: GPL-2.0-or-later
"""Write and check the configuration: kconfig.py CONFIG COMMAND [DEFCONFIG].

COMMAND is menuconfig, defconfig (from DEFCONFIG), olddefconfig or
savedefconfig. Kconfig itself is the kconfiglib package; this adds that a
setting which is unknown, or does not hold in the result, is refused with the
symbol's name and leaves CONFIG as it was.
"""

import re
import sys
from pathlib import Path

import kconfiglib

LINE = re.compile(r"CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set")


def settings(path: Path) -> dict[str, str]:
    """The assignments of a configuration file, by symbol name."""
    found = {}
    for line in path.read_text().splitlines():
        match = LINE.fullmatch(line.strip())
        if match:
            name = match[1] or match[3]
            value = match[2] if match[1] else "n"
            found[name] = value.strip('"')
        elif line.strip() and not line.startswith("#"):
            raise SystemExit(f"{path}: not a setting: {line}")
    return found


def check(kconf: kconfiglib.Kconfig, path: Path, old: bool) -> None:
    """Refuse settings of path that kconf, which has loaded it, did not take.

    With old, path is a full earlier configuration: symbols that are gone by
    now, or no longer visible, are dropped instead.
    """
    for name, wanted in settings(path).items():
        symbol = kconf.syms.get(name)
        if symbol is None or not symbol.nodes:
            if old:
                continue
            raise SystemExit(f"{path}: unknown symbol CONFIG_{name}")
        if symbol.str_value != wanted and not (old and symbol.visibility == 0):
            raise SystemExit(
                f"{path}: CONFIG_{name}={wanted} cannot be: "
                f"out of range, or contradicts another setting (it would be "
                f"{symbol.str_value or 'empty'})"
            )


def main(argv: list[str]) -> None:
    config, command = Path(argv[1]), argv[2]
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)

    if command == "menuconfig":
        import os

        from menuconfig import menuconfig

        os.environ["KCONFIG_CONFIG"] = str(config)
        config.parent.mkdir(parents=True, exist_ok=True)
        menuconfig(kconf)
        return

    source = Path(argv[3]) if command == "defconfig" else config
    if not source.exists():
        raise SystemExit(f"no {source}: run 'make defconfig' or 'make menuconfig' first")
    kconf.load_config(str(source))
    check(kconf, source, old=command != "defconfig")
    if command == "savedefconfig":
        minimal = config.parent / "defconfig"
        kconf.write_min_config(str(minimal))
        print(minimal.read_text(), end="")
        return
    config.parent.mkdir(parents=True, exist_ok=True)
    kconf.write_config(str(config), save_old=False)
    config.touch()
    if command == "defconfig":
        print(f"configuration: {config} from {source}")


if __name__ == "__main__":
    main(sys.argv)
