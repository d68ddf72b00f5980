# SPDX-License-Identifier: GPL-2.0-or-later
"""A hypervisor with a guest in it, but for both: what its console would say, for tests.

fake_guest.py SECONDS: waits for its memory as image/run-job does, if it has a console to
read from, and then prints a progress line for each tenth of a second of so many seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

RESULT = {"workload": "gups", "parameters": {}, "init_s": 0.5, "seconds": 2.5, "rate": 4e6,
          "rate_unit": "updates/s", "sys_s": 0.0, "verified": True}  # fmt: skip


def main() -> None:
    tenths = int(float(sys.argv[1]) * 10)
    stdout = b""
    with Path("stream").open("wb", buffering=0) as stream:
        stream.write(b'L {"guest": "fake"}\n')
        if Path("control").exists():
            stream.write(b"P 1.25\n")
            with Path("control").open() as control:
                assert control.readline() == "go\n"
            stream.write(b"P 1.75\n")
        for i in range(1, tenths + 1):
            point = {"t_s": i / 10, "rate": 1e6 * (1 + i // 10), "longest_s": i / 1000}
            line = json.dumps(point).encode()
            stream.write(b"L " + line + b"\n")
            stdout += line + b"\n"
            time.sleep(0.1)
        stdout += json.dumps(RESULT).encode() + b"\n"
        stream.write(b"F stdout %d\n%s\nE 0\n" % (len(stdout), stdout))


if __name__ == "__main__":
    main()
