# SPDX-License-Identifier: GPL-2.0-or-later
"""Write and check the configuration: kconfig.py CONFIG COMMAND [DEFCONFIG].

COMMAND is menuconfig, defconfig (from DEFCONFIG), olddefconfig or
savedefconfig. Kconfig itself is the kconfiglib package; this adds that a
setting which is unknown, or does not hold in the result, is refused with the
symbol's name and leaves CONFIG as it was.
"""

import locale
import os
import re
import sys
from pathlib import Path

import kconfiglib

# The least that shows a menu and its keys, of a terminal
COLUMNS, LINES = 40, 12
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


def check_terminal() -> None:
    """Refuse a terminal that cannot show the menu, before the menu takes it over."""
    import curses

    instead = "use a terminal, or 'make defconfig'"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SystemExit(f"menuconfig: input and output are no terminal: {instead}")
    term = os.environ.get("TERM")
    if not term:
        raise SystemExit(f"menuconfig: TERM is not set, so the terminal is not known: {instead}")
    try:
        curses.setupterm(term)
    except curses.error:
        raise SystemExit(f"menuconfig: TERM={term} is not known here: {instead}") from None
    if not curses.tigetstr("cup"):
        raise SystemExit(f"menuconfig: TERM={term} cannot move the cursor: {instead}")
    columns, lines = os.get_terminal_size(sys.stdout.fileno())
    # a terminal that does not tell its size has 0, and the one that TERM says
    if 0 < columns < COLUMNS or 0 < lines < LINES:
        raise SystemExit(
            f"menuconfig: the terminal is too small: {columns} columns and {lines} lines, "
            f"at least {COLUMNS} and {LINES} are needed"
        )
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        os.environ["LC_ALL"] = "C.UTF-8"


def main(argv: list[str]) -> None:
    commands = ("menuconfig", "defconfig", "olddefconfig", "savedefconfig")
    if argv[2:3] and argv[2] in commands and len(argv) == 3 + (argv[2] == "defconfig"):
        config, command = Path(argv[1]), argv[2]
    else:
        raise SystemExit(f"usage: kconfig.py CONFIG {'|'.join(commands)} [DEFCONFIG]")
    if command == "menuconfig":
        check_terminal()
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)

    if command == "menuconfig":
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
    try:
        main(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, UnicodeError, kconfiglib.KconfigError) as error:
        sys.exit("configuration: " + " ".join(str(error).split()))
