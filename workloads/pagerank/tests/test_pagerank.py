# SPDX-License-Identifier: GPL-2.0-or-later
"""pagerank: scores against a reference, the check, and malformed files."""

from __future__ import annotations

import json
import os
import random
import re
import struct
from collections.abc import Iterable
from math import exp, factorial
from pathlib import Path

import pytest

Edges = list[tuple[int, int]]


def read_scores(path: Path) -> list[float]:
    pairs = [line.split() for line in path.read_text().splitlines()]
    assert [int(v) for v, _ in pairs] == list(range(len(pairs)))
    return [float(score) for _, score in pairs]


def reference(edges: Edges, vertices: int, iterations: int) -> list[float]:
    """Naively, in double precision, on the edges without loops and repetitions."""
    simple = sorted({(u, v) for u, v in edges if u != v})
    degree = [0] * vertices
    for u, _ in simple:
        degree[u] += 1
    scores = [1 / vertices] * vertices
    for _ in range(iterations):
        new = [0.15 / vertices] * vertices
        for u, v in simple:
            new[v] += 0.85 * scores[u] / degree[u]
        scores = new
    return scores


def write_list(path: Path, edges: Edges, weight: str = "") -> Path:
    path.write_text("".join(f"{u} {v}{weight}\n" for u, v in edges))
    return path


def offsets_and_neighbours(pairs: Iterable[tuple[int, int]], vertices: int) -> bytes:
    lists: list[list[int]] = [[] for _ in range(vertices)]
    for u, v in sorted(pairs):
        lists[u].append(v)
    offsets = [0]
    for one in lists:
        offsets.append(offsets[-1] + len(one))
    neighbours = [v for one in lists for v in one]
    return struct.pack(f"<{len(offsets)}q{len(neighbours)}i", *offsets, *neighbours)


def serialized(edges: Edges, vertices: int, directed: bool = True) -> bytes:
    pairs = {(u, v) for u, v in edges if u != v}
    if not directed:
        pairs |= {(v, u) for u, v in pairs}
    data = struct.pack("<?qq", directed, len(pairs), vertices)
    data += offsets_and_neighbours(pairs, vertices)
    if directed:
        data += offsets_and_neighbours({(v, u) for u, v in pairs}, vertices)
    return data


def random_edges(seed: int) -> tuple[Edges, int]:
    """With hubs, loops, repetitions and vertices without edges."""
    rng = random.Random(seed)
    vertices = rng.choice([2, 3, 17, 200, 9000])
    count = rng.choice([1, vertices, 8 * vertices])
    edges = [
        (int(vertices * rng.random() ** 3), int(vertices * rng.random() ** 5)) for _ in range(count)
    ]
    return [*edges, (0, vertices - 1)], vertices


def close(found: list[float], expected: list[float]) -> bool:
    return len(found) == len(expected) and all(
        abs(a - b) < 1e-6 for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("threads", ["1", "2", "4"])
@pytest.mark.parametrize("seed", range(10))
def test_scores_are_those_of_the_reference(seed: int, threads: str, tmp_path: Path, program):
    edges, vertices = random_edges(seed)
    both = edges + [(v, u) for u, v in edges]
    out = tmp_path / "scores"
    options = ("--tolerance", "0", "--iterations", "30", "--threads", threads, "--output", out)
    el = write_list(tmp_path / "a.el", edges)
    sg = tmp_path / "a.sg"
    expected = reference(edges, vertices, 30)

    found = program.parameters("--graph", el, *options)
    assert found["iterations"] == 30 and found["directed"]
    assert found["edges"] == len({e for e in edges if e[0] != e[1]})
    assert close(read_scores(out), expected)
    program.parameters("--graph", write_list(tmp_path / "a.wel", edges, " -7"), *options)
    assert close(read_scores(out), expected)
    sg.write_bytes(serialized(edges, vertices))
    program.parameters("--graph", sg, *options)
    assert close(read_scores(out), expected)

    expected = reference(both, vertices, 30)
    assert not program.parameters("--graph", el, "--symmetrize", *options)["directed"]
    assert close(read_scores(out), expected)
    sg.write_bytes(serialized(edges, vertices, directed=False))
    assert not program.parameters("--graph", sg, *options)["directed"]
    assert close(read_scores(out), expected)


@pytest.mark.parametrize("options", [(), ("--symmetrize",)])
def test_result_does_not_depend_on_threads(options: tuple[str, ...], tmp_path: Path, program):
    scores = []
    for threads in ("1", "2", "3", "4", "20"):
        out = tmp_path / threads
        program.parameters("--scale", "14", "--threads", threads, "--output", out, *options)
        scores.append(out.read_text())
    assert scores.count(scores[0]) == len(scores)
    program.parameters("--scale", "14", "--seed", "2", "--output", tmp_path / "other", *options)
    assert (tmp_path / "other").read_text() != scores[0]


def test_converges(program):
    """Both ways within GAP's 20 iterations; one way takes a few more."""
    found = program.parameters("--scale", "16", "--symmetrize")
    assert found["converged"] and found["iterations"] < 20 and found["residual"] < 1e-4
    found = program.parameters("--scale", "16", "--iterations", "50")
    assert found["converged"] and found["iterations"] < 30 and found["residual"] < 1e-4
    assert not program.parameters("--scale", "16", "--iterations", "3")["converged"]


def test_generator_makes_an_rmat_graph(tmp_path: Path, program):
    """As many edges as R-MAT leaves of 16 a vertex, and one hub far above the rest."""
    draws, n = 16 * 2**16, 16
    expected = 0.0
    # cells of the matrix by the quadrants that their bits lie in
    for a in range(n + 1):
        for d in range(n - a + 1):
            b = n - a - d
            cells = factorial(n) / factorial(a) / factorial(b) / factorial(d) * 2**b
            if b:
                expected += cells * (1 - exp(-draws * 0.57**a * 0.19**b * 0.05**d))
    found = program.parameters("--scale", "16")
    assert abs(found["edges"] / expected - 1) < 0.005
    out = tmp_path / "scores"
    program.parameters("--scale", "16", "--output", out)
    scores = sorted(read_scores(out), reverse=True)
    assert scores[0] > 10 * scores[len(scores) // 100] > 100 * scores[-1]


@pytest.mark.parametrize("threads", ["1", "4"])
def test_mem_is_what_the_process_takes(threads: str, program):
    for mib in (64, 100, 130):
        args = ("--mem", f"{mib}M", "--threads", threads, "--iterations", "1")
        assert 0.93 * mib <= program.peak_mib(*args) <= mib


@pytest.mark.parametrize("damage", ["score", "change"])
def test_check_tells_damage_apart(damage: str, program):
    """A score off by 1e-5 of itself; a last change that was larger than is claimed."""
    found = program.parameters("--scale", "12", "--corrupt", damage, status=1)
    assert found["wrong_scores"] == (damage == "score")


EDGES = [(0, 1), (1, 2), (2, 0), (3, 0), (0, 3), (2, 4)]


@pytest.mark.parametrize("directed", [True, False])
def test_truncated_serialized_graph(directed: bool, tmp_path: Path, program):
    data = serialized(EDGES, 5, directed)
    path = tmp_path / "a.sg"
    path.write_bytes(data)
    program.parameters("--graph", path)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        program.refused("a.sg: ", "--graph", path)
    path.write_bytes(data + b"\0")
    program.refused("a.sg: ", "--graph", path)


@pytest.mark.parametrize("directed", [True, False])
def test_damaged_serialized_graph(directed: bool, tmp_path: Path, program):
    """Any other byte anywhere is refused, or it is another well-formed graph."""
    data = serialized(EDGES, 5, directed)
    path = tmp_path / "a.sg"
    accepted = 0
    for at in range(len(data)):
        for value in {0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1} - {data[at]}:
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
            done = program.run("--graph", path)
            assert done.returncode in (0, 2), (at, value, done)
            assert done.returncode == 0 or done.stderr.count("\n") == 1
            accepted += done.returncode == 0
    assert not accepted


def header(directed: int, edges: int, vertices: int) -> bytes:
    return struct.pack("<Bqq", directed, edges, vertices)


def arrays(offsets: list[int], neighbours: list[int]) -> bytes:
    return struct.pack(f"<{len(offsets)}q{len(neighbours)}i", *offsets, *neighbours)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(2, 1, 2) + arrays([0, 1, 1], [1]) * 2, "the first byte"),
        (header(1, -1, 2) + arrays([0, 1, 1], [1]) * 2, "too short for -1 edges"),
        (header(1, 2**62, 2) + arrays([0, 1, 1], [1]) * 2, "too short for"),
        (header(1, 1, -2) + arrays([0, 1, 1], [1]) * 2, "number of vertices must be"),
        (header(1, 1, 2**31) + arrays([0, 1, 1], [1]) * 2, "number of vertices must be"),
        (header(1, 0, 0) + arrays([0], []) * 2, "number of vertices must be"),
        (header(1, 0, 1) + arrays([0, 0], []) * 2, "no edges"),
        (header(1, 1, 3) + arrays([0, 1, 1], [1]) * 2, "3 vertices and 1 edges take"),
        (header(1, 1, 2) + arrays([1, 1, 1], [1]) * 2, "first outgoing offset is not 0"),
        (header(1, 2, 2) + arrays([0, 3, 2], [1, 1]) * 2, "outgoing offset 1 is out of order"),
        (header(1, 2, 3) + arrays([0, 2, 1, 2], [1, 1]) * 2, "offset 2 is out of order"),
        (header(1, 2, 2) + arrays([0, -1, 2], [1, 1]) * 2, "offset 1 is out of order"),
        (header(1, 2, 2) + arrays([0, 1, 1], [1, 1]) * 2, "last outgoing offset is not"),
        (header(1, 1, 2) + arrays([0, 1, 1], [2]) * 2, "outgoing neighbour 0 is not a vertex: 2"),
        (header(1, 1, 2) + arrays([0, 1, 1], [-1]) * 2, "neighbour 0 is not a vertex: -1"),
        (
            header(1, 1, 2) + arrays([0, 1, 1], [1]) + arrays([0, 0, 1], [7]),
            "incoming neighbour 0 is not a vertex: 7",
        ),
        (header(1, 1, 2) + arrays([0, 1, 1], [1]) * 2, "the incoming edges are not"),
        (header(0, 1, 2) + arrays([0, 1, 1], [1]), "some edges have no counterpart"),
        (b"", "too short for the header"),
    ],
)
def test_bad_serialized_graph(data: bytes, message: str, tmp_path: Path, program):
    path = tmp_path / "a.sg"
    path.write_bytes(data)
    program.refused(message, "--graph", path)


def test_truncated_edge_list(tmp_path: Path, program):
    """Valid is only what ends where a line ends."""
    text = "0 1\n10 2\n\t2   3 \r\n3 10\n"
    path = tmp_path / "a.el"
    for length in range(len(text)):
        path.write_text(text[:length], newline="")
        if text[:length].endswith("\n"):
            program.parameters("--graph", path)
        else:
            program.refused("a.el: ", "--graph", path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.el", "# SNAP\n# Nodes: 3 Edges: 2\n0\t1\n1\t2\n"),
        ("a.el", "% asym unweighted\n% 2 3 3\n0 1\n1 2\n"),
        ("a.el", "\n0 1\n \t\n\n1 2\n\n"),
        ("a.el", "0 1 # first\n1 2%second\n"),
        ("a.el", "0,1\n1 , 2\n"),
        ("a.el", "  0 \t 1 \t\n1  2\n"),
        ("a.el", "0 1\r\n\r\n# c\r\n1 2\r\n"),
        ("a.el", "\ufeff0 1\n1 2\n"),
        ("a.el", "\ufeff# c\n0 1\n1 2\n"),
        ("a.el", "#" + 5000 * "long " + "\n0 1\n" + 5000 * " " + "1 2\n"),
        ("a.el", "0 1\n1 2\n0 1\n1 1\n"),
        ("a.el", "000 001\n1 2\n"),
        ("a.wel", "0 1 5\n1 2 -0.5e3\n"),
        ("a.wel", "0,1,5\n1,\t2, 1e400 # far\n"),
        ("a.wel", "# c\n\n0 1 nan\r\n1 2 0\r\n"),
    ],
)
def test_well_formed_edge_list(name: str, text: str, tmp_path: Path, program):
    path = tmp_path / name
    path.write_text(text, newline="")
    out = tmp_path / "scores"
    found = program.parameters("--graph", path, "--tolerance", "0", "--output", out)
    assert found["vertices"] == 3 and found["edges"] == 2
    assert close(read_scores(out), reference([(0, 1), (1, 2)], 3, 20))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.el", "", "no edges"),
        ("a.el", "# nothing\n\n", "no edges"),
        ("a.el", "1 1\n", "no edges"),
        ("a.el", "0 1\n0\n", 'line 2: must be "source target", vertex numbers from 0'),
        ("a.el", "# c\n\n0 1\n0\n", "line 4: must be"),
        ("a.el", "source target\n0 1\n", "line 1: must be"),
        ("a.el", "source,target\n0,1\n", "line 1: must be"),
        ("a.el", "c DIMACS\np sp 3 2\na 1 2 5\n", "line 1: must be"),
        ("a.el", "0 -1\n", "line 1: must be"),
        ("a.el", "0 +1\n", "line 1: must be"),
        ("a.el", "0.0 1.0\n", "line 1: must be"),
        ("a.el", "0 1.5\n", "line 1: the target is not a number"),
        ("a.el", "0x1 1\n", "line 1: must be"),
        ("a.el", "a b\n", "line 1: must be"),
        ("a.el", "0;1\n", "line 1: must be"),
        ("a.el", "0 ; 1\n", "line 1: must be"),
        ("a.el", "0,,1\n", "line 1: must be"),
        ("a.el", ",0 1\n", "line 1: must be"),
        ("a.el", "0 1,\n", "line 1: has more than two columns"),
        ("a.el", "0 2147483647\n", "line 1: must be"),
        ("a.el", "99999999999999999999999 1\n", "line 1: must be"),
        ("a.el", "0 2147483646\n", "vertex number 2147483646 is too high for 1 edges"),
        ("a.el", "0 1 5\n", "line 1: has more than two columns: an edge list with weights must"),
        ("a.el", "0 1\n1 2 3 4\n", "line 2: has more than two columns"),
        ("a.el", "0 1 x\n", "line 1: has more than two columns"),
        ("a.el", "0 1\r2 3\n", "line 1: the target is not a number"),
        ("a.el", "0 1\0\n", "line 1: has a zero byte: this is no text"),
        ("a.el", "# c\0\n0 1\n", "line 1: has a zero byte"),
        ("a.el", "0 1\n1 2", "line 2: is cut off"),
        ("a.el", "0 1\n# c", "line 2: is cut off"),
        ("a.el", "%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 2\n", "MatrixMarket"),
        ("a.wel", "%%MATRIXMARKET matrix\n% c\n2 2 1\n1 2 3\n", "line 1: is of the MatrixMarket"),
        ("a.el", "# c\n3 2\n0 1\n1 2\n", "line 2: seems to be the numbers of vertices"),
        ("a.el", "3 2\n1 2\n2 3\n", "line 1: seems to be the numbers of vertices"),
        ("a.wel", "3 3 2\n1 2 0.5\n2 3 1\n", "line 1: seems to be the numbers of vertices"),
        ("a.wel", "0 1\n", "line 1: has no weight: an edge list without weights must end in .el"),
        ("a.wel", "0 1 x\n", "line 1: the weight is not a number"),
        ("a.wel", "0 1,\n", "line 1: the weight is not a number"),
        ("a.wel", "0 1 5x\n", "line 1: the weight is not a number"),
        ("a.wel", "0 1-5\n", "line 1: the target is not a number"),
        ("a.wel", "0 1 5 5\n", "line 1: has more than three columns"),
        ("a.gr", "0 1\n", "--graph: must end in"),
        ("el", "0 1\n", "--graph: must end in"),
    ],
)
def test_bad_edge_list(name: str, text: str, message: str, tmp_path: Path, program):
    path = tmp_path / name
    path.write_text(text, newline="")
    program.refused(message, "--graph", path)


def test_line_of_sizes_is_an_edge_elsewhere(tmp_path: Path, program):
    path = tmp_path / "a.el"
    path.write_text("0 1\n1 2\n3 2\n")
    assert program.parameters("--graph", path)["edges"] == 3


def read_as_documented(data: bytes, weighted: bool) -> Edges | None:
    """The edges of a file, or None when it must be refused; written without the program's code."""
    if b"\0" in data or (data and not data.endswith(b"\n")):
        return None
    number = r"\d+"
    between = r"(?:[ \t]+|[ \t]*,[ \t]*)"
    line = rf"[ \t]*({number}){between}({number})" + (rf"{between}(\S+)" if weighted else "")
    edges, sizes = [], []
    for row in data.decode("latin-1").removesuffix("\n").split("\n"):
        text = re.sub("[#%].*", "", row.removesuffix("\r"), flags=re.DOTALL)
        if not text.strip(" \t"):
            continue
        found = re.fullmatch(line + r"[ \t]*", text)
        if not found:
            return None
        source, target = int(found[1]), int(found[2])
        if max(source, target) >= 2**31 - 1:
            return None
        try:
            sizes.append(float(found[3]) if weighted else target)
        except ValueError:
            return None
        edges.append((source, target))
    if not any(u != v for u, v in edges):
        return None
    highest = max((max(e) for e in edges[1:]), default=-1)
    first = edges[0][0] if not weighted or edges[0][0] == edges[0][1] else -1
    if len(edges) > 1 and sizes[0] == len(edges) - 1 and first in (highest, highest + 1):
        return None
    return edges


FUZZED = {
    "a.el": b"# a graph\n0 1\n1\t2\n2,0\n\n3 , 0 # c\r\n0 3\n% end\n2 4\n",
    "a.wel": b"0 1 5\n1\t2\t-1\n2,0,7\n# c\n3 0 1e3\r\n0 3 2\n2 4 1\n",
}


def edited(rng: random.Random, data: bytes) -> bytes:
    """A few bytes or lines inserted, removed, changed or moved."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        size = rng.choice([0, 1, 1, 3])
        new = bytes(rng.choices(b"0123456789 \t,;#%\r\n-+.ex", k=rng.randrange(4)))
        data = data[:at] + new + data[at + size :]
        if rng.random() < 0.2:
            lines = data.splitlines(keepends=True)
            rng.shuffle(lines)
            data = b"".join(lines)
    return data


@pytest.mark.parametrize("name", FUZZED)
def test_edited_edge_list(name: str, tmp_path: Path, program):
    """Whatever is edited is refused with one line, or read as it is documented."""
    rng = random.Random(1)
    path, out = tmp_path / name, tmp_path / "scores"
    read = 0
    for _ in range(150):
        data = edited(rng, FUZZED[name])
        edges = read_as_documented(data, weighted=name == "a.wel")
        if edges and max(max(e) for e in edges) > 10**6:
            continue
        path.write_bytes(data)
        if edges is None:
            program.refused("", "--graph", path)
            continue
        read += 1
        found = program.parameters("--graph", path, "--tolerance", "0", "--output", out)
        vertices = 1 + max(max(e) for e in edges)
        assert found["vertices"] == vertices, data
        assert found["edges"] == len({e for e in edges if e[0] != e[1]}), data
        assert close(read_scores(out), reference(edges, vertices, 20)), data
    assert 20 < read < 130


def test_random_bytes(tmp_path: Path, program):
    rng = random.Random(1)
    for suffix in ("el", "wel", "sg"):
        path = tmp_path / f"a.{suffix}"
        for length in (1, 17, 18, 100, 5000):
            path.write_bytes(rng.randbytes(length))
            program.refused(f"{path.name}: ", "--graph", path)


def test_files_that_are_none(tmp_path: Path, program):
    program.refused("No such file", "--graph", tmp_path / "none.el")
    (tmp_path / "folder.el").mkdir()
    program.refused("not a regular file", "--graph", tmp_path / "folder.el")
    os.mkfifo(tmp_path / "pipe.sg")
    program.refused("not a regular file", "--graph", tmp_path / "pipe.sg")
    program.refused("--output: cannot write", "--scale", "4", "--output", tmp_path / "none/scores")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mem", "8M", "--threads", "1024"], "--mem: too small for 1024 threads"),
        (["--mem", "8M", "--scale", "8"], "exclude each other"),
        (["--mem", "8M", "--graph", "a.el"], "exclude each other"),
        (["--mem", "8M", "--symmetrize"], "--symmetrize: not with"),
        (["--graph", "a.sg", "--symmetrize"], "--symmetrize: not with"),
        (["--scale", "3"], "--scale: must be from"),
        (["--scale", "31"], "--scale: must be from"),
        (["--scale", "30", "--degree", "4096"], "cannot allocate"),
        (["--degree", "0"], "--degree: must be from"),
        (["--iterations", "0"], "--iterations: must be from"),
        (["--iterations", "-1"], "--iterations: not a size"),
        (["--tolerance", "-1"], "--tolerance: must be from"),
        (["--tolerance", "nan"], "--tolerance: must be from"),
        (["--trials", "0"], "--trials: must be from"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)


def test_reports_its_progress(program):
    done = program.run("--scale", "14", "--trials", "20", "--report-ms", "10", "--threads", "1")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 1 and all(line["t_s"] > 0 and line["rate"] >= 0 for line in lines[:-1])
    assert any(line["rate"] > 0 for line in lines[:-1])
    assert lines[-1]["parameters"]["trials"] == 20
