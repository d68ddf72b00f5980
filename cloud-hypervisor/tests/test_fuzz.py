# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzers of what guests, clients of the API and kernels may write, for FUZZ_SECONDS each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from demeter_testing import BUILD, TOP

SECONDS = int(os.environ.get("FUZZ_SECONDS", "10"))
CORPUS = TOP / "cloud-hypervisor/fuzz/corpus"
# A fuzzer of its own keeps inputs, and a table of what they reach.
MOST_MB = 512
# What a process has used at most is told of the process that became it, too: of a copy of
# this one, which may be large. So it is made by a shell.
OF_ITS_OWN = ("sh", "-c", '"$@"; exit $?', "sh")


@pytest.mark.needs("tests/fuzz/.built")
@pytest.mark.parametrize("fuzzer", ["host", "parsers", "requests", "stock"])
def test_fuzz(fuzzer: str, tmp_path: Path):
    """It finds no crash, no input that takes 10 s, and does not grow."""
    corpus = tmp_path / "corpus"
    shutil.copytree(CORPUS / fuzzer, corpus)
    found = tmp_path / "found"
    found.mkdir()
    done = subprocess.run(
        [
            *OF_ITS_OWN,
            BUILD / f"tests/fuzz/fuzz-{fuzzer}", corpus, f"-max_total_time={SECONDS}",
            "-timeout=10", f"-rss_limit_mb={MOST_MB}", "-max_len=4096", "-len_control=0",
            f"-artifact_prefix={found}/", "-print_final_stats=1",
        ],
        capture_output=True, text=True, timeout=SECONDS + 120,
    )  # fmt: skip
    said = done.stderr[-4000:]
    assert done.returncode == 0, said
    assert not list(found.iterdir()), said
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    grown = re.search(r"peak_rss_mb: +(\d+)", said)
    assert runs and int(runs[1]) > len(list(corpus.iterdir())), said
    assert grown
    actions = re.findall(r"^(\d+) requests and accesses", done.stderr, re.M)
    print(
        f"\n{fuzzer}: {runs[1]} inputs, more than {actions[-1] if actions else 0}"
        f" requests and accesses, {grown[1]} MiB at most"
    )
