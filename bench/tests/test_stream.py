# SPDX-License-Identifier: GPL-2.0-or-later
"""The parser of what guests send, among them broken and hostile ones."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from demeter_bench.stream import JobStream, StreamError

GOOD = b"L hello\nF stdout 5\na\nb\nc\nL {}\nF empty 0\n\nE 3\n"


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_records(tmp_path: Path, step: int):
    stream = JobStream(tmp_path)
    for i in range(0, len(GOOD), step):
        assert stream.status is None
        stream.feed(GOOD[i : i + step])
    assert stream.take_lines() == ["hello", "{}"]
    assert stream.take_lines() == []
    assert (tmp_path / "stdout").read_bytes() == b"a\nb\nc"
    assert (tmp_path / "empty").read_bytes() == b""
    assert stream.status == 3


def test_after_the_end(tmp_path: Path):
    stream = JobStream(tmp_path)
    stream.feed(GOOD + b"F late 1\nx\n")
    assert stream.status == 3 and not (tmp_path / "late").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"F ../../etc/passwd 1\nx\n",
        b"F /etc/passwd 1\nx\n",
        b"F .hidden 1\nx\n",
        b"F name -1\nx\n",
        b"F name 99999999999\n",
        b"F name\n",
        b"F name 1\nxy\n",
        b"E x\n",
        b"E 1000\n",
        b"L " + b"x" * 70000,
        b"\n",
    ],
)
def test_refused(tmp_path: Path, data: bytes):
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(StreamError):
        JobStream(tmp_path).feed(data)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_too_many_files(tmp_path: Path):
    stream = JobStream(tmp_path)
    with pytest.raises(StreamError):
        for i in range(1000):
            stream.feed(b"F f%d 0\n\n" % i)


def test_noise_never_escapes(tmp_path: Path):
    rng = random.Random(1)
    for _ in range(300):
        data = bytearray(GOOD * 3)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        stream = JobStream(tmp_path)
        with contextlib.suppress(StreamError):
            stream.feed(bytes(data))
    assert all(p.parent == tmp_path for p in tmp_path.rglob("*"))
