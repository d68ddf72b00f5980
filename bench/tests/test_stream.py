# SPDX-License-Identifier: GPL-2.0-or-later
"""The parser of what guests send, among them broken and hostile ones."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from demeter_bench.stream import JobStream, StreamError, parse_line, printable

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


def test_a_guest_that_waits_for_its_memory(tmp_path: Path):
    stream = JobStream(tmp_path)
    stream.feed(b"L x\nP 0.25\n")
    assert stream.waited == [0.25] and stream.status is None
    stream.feed(b"P 12.50\nE 0\n")
    assert stream.waited == [0.25, 12.5] and stream.status == 0


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
        b"P -1.0\n",
        b"P 1e9\n",
        b"P 1.0\nP 2.0\nP 3.0\n",
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
    before = sorted(p for p in tmp_path.parent.rglob("*") if p.parent != tmp_path)
    for _ in range(300):
        data = bytearray(GOOD * 3)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        stream = JobStream(tmp_path)
        with contextlib.suppress(StreamError):
            stream.feed(bytes(data))
    assert sorted(p for p in tmp_path.parent.rglob("*") if p.parent != tmp_path) == before


def test_a_flood_is_taken_in_linear_time_and_bounded(tmp_path: Path):
    stream = JobStream(tmp_path)
    stream.feed(b"L \n" * 350_000)
    assert len(stream.take_lines()) == 350_000
    stream.feed(b"E 0\n")
    with pytest.raises(StreamError, match="too much"):
        for _ in range(2000):
            stream.feed(b"x" * (1 << 20))
    assert stream.take_lines() == []


@pytest.mark.parametrize(
    "line",
    [
        "[" * 60_000,
        '{"rate": 1' + "0" * 400 + "}",
        '{"rate": 1e999, "t_s": -1}',
        '{"rate": NaN, "seconds": "x", "init_s": null}',
        '{"rate": true}',
        "7",
        "",
    ],
)
def test_job_lines_that_are_no_numbers(line: str):
    found = parse_line(line)
    assert not {"rate", "t_s", "seconds", "init_s"} & set(found)


def test_printable():
    assert printable("a\x1b[31mb\nc\u202e") == "a [31mb c"
