# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs of tests that boot a disk image, and scripts that run in them.

A script comes to systemd from outside, so that images are tested as they are. What it
prints goes to the second serial line, and from there to a file.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from demeter_bench.disk import unit_args

from . import BUILD

QEMU = BUILD / "qemu/build/qemu-system-x86_64"
QEMU_IMG = BUILD / "qemu/build/qemu-img"
FIRMWARE = BUILD / "images/ovmf"
OUTPUT = "/dev/ttyS1"


# agetty takes the name when systemd has asked the terminal for its size, which does not answer.
LOGIN = """
until pgrep -x agetty >/dev/null; do sleep 0.2; done
sleep 2
"""


def printing(script: str) -> str:
    """The script, which begins after the login prompt, and whose output leaves the machine."""
    return f"exec >>{OUTPUT} 2>&1\n{LOGIN}{script}"


def boot_uefi(image: Path, folder: Path, script: str, *args: str, size: str, timeout: float) -> str:
    """Boot the image on a disk of that size by UEFI firmware until it powers off.

    Returns what the script printed. The image does not change.

    The machine may reboot in between. console.log in the folder has the console.
    """
    variables, output = folder / "variables.fd", folder / "output"
    disk = folder / "disk.qcow2"
    subprocess.run(
        [QEMU_IMG, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, disk, size], check=True
    )
    variables.write_bytes((FIRMWARE / "OVMF_VARS_4M.fd").read_bytes())
    command = [
        QEMU, "-machine", "q35,hmat=on", "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt",
        "-nodefaults", "-display", "none", "-no-user-config", "-L", BUILD / "qemu/firmware",
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_4M.fd",
        "-drive", f"if=pflash,unit=1,format=raw,file={variables}",
        "-drive", f"file={disk},format=qcow2,if=none,id=disk",
        "-device", "nvme,serial=disk,drive=disk",
        "-serial", f"file:{folder}/console.log", "-serial", f"file:{output}",
        *unit_args("test", printing(script)), *args,
    ]  # fmt: skip
    with (folder / "hypervisor.log").open("w") as log:
        process = subprocess.Popen(
            [str(x) for x in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            end = (folder / "console.log").read_text(errors="replace")[-3000:]
            raise AssertionError(f"still running after {timeout} s; its console:\n{end}") from None
        finally:
            process.kill()
            process.wait()
    return output.read_text(errors="replace").replace("\r", "")
