# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into the guest with a user's program, from where to where, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from demeter_bench.errors import UserError
from demeter_bench.packing import Packer, libraries, pack, parse_ldd

LIBRARY = "int f(void) { return 0; }"
USER = "int f(void); int main(void) { return f(); }"
SHARED = ("-shared", "-fPIC")
ELF = b"\x7fELF"


def places(*files: Path | str) -> dict[str, Path]:
    return {file.place: Path(file.path) for file in pack([str(f) for f in files])}


def message(*files: Path | str, started: str = "") -> str:
    with pytest.raises(UserError) as error:
        pack([str(f) for f in files], started)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("linux-vdso.so.1 (0x00007fd120755000)", {}),
        ("statically linked", {}),
        ("libc.so.6 => /lib/x/libc.so.6 (0x00007fd120558000)", {"libc.so.6": "/lib/x/libc.so.6"}),
        ("libz9.so => /tmp/a b/libz9.so (0x00007f112ecc0000)", {"libz9.so": "/tmp/a b/libz9.so"}),
        ("/lib64/ld.so.2 (0x00007fd120757000)", {"/lib64/ld.so.2": "/lib64/ld.so.2"}),
        ("/nix/ld.so.2 => /lib64/ld.so.2 (0x00007fd120757000)", {"/nix/ld.so.2": "/lib64/ld.so.2"}),
    ],
)
def test_what_ldd_finds(line: str, found: dict[str, str]):
    listing = parse_ldd(f"\t{line}\n")
    assert listing.found == found and not listing.wrong


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("libJudy.so.1 => not found", "needs the library libJudy.so.1, which is not found here"),
        ("/x/libg.so => not found", "needs the library /x/libg.so, which is not found here"),
        (
            "./pv: /x/libz9.so: version `V_9' not found (required by ./pv)",
            "ldd: ./pv: /x/libz9.so: version `V_9' not found (required by ./pv)",
        ),
        ("./libx.so (0x00007f4ccf491000)", "needs the library ./libx.so, found in the current"),
        ("d/libx.so => d/libx.so (0x00007f4ccf491000)", "needs the library d/libx.so, found in"),
        ("something new", "ldd: something new"),
    ],
)
def test_what_ldd_misses(line: str, wrong: str):
    listing = parse_ldd(f"\t{line}\n\tlibc.so.6 => /lib/libc.so.6 (0x00007fd120558000)\n")
    assert len(listing.wrong) == 1 and listing.wrong[0].startswith(wrong)
    assert listing.found["libc.so.6"] == "/lib/libc.so.6"


def test_libraries_of_a_program(compiled):
    packed = places(compiled("dynamic"))
    assert packed["lib/libc.so.6"].exists()
    assert [place for place in packed if place.startswith("/")] == ["/lib64/ld-linux-x86-64.so.2"]
    assert set(places(compiled("static", LIBRARY + "int main(void){}", "-static"))) == {"static"}
    pie = compiled("pie", LIBRARY + "int main(void){}", "-static-pie")
    assert set(places(pie)) == {"pie"}


def test_a_missing_library_is_named(compiled):
    library = compiled("libgone.so", LIBRARY, *SHARED)
    program = compiled("user", USER, library)
    library.unlink()
    said = message(program)
    assert f"{program}: needs the library" in said and "libgone.so, which is not found" in said


def test_all_missing_libraries_are_named(compiled):
    gone = [compiled(f"lib{c}.so", f"int {c}(void) {{ return 0; }}", *SHARED) for c in "fg"]
    program = compiled("user", "int f(), g(); int main(void) { return f() + g(); }", *gone)
    for library in gone:
        library.unlink()
    said = message(program)
    assert "libf.so, which is not found here; needs the library" in said and "libg.so" in said


def test_a_missing_version_is_named(compiled, tmp_path: Path):
    (tmp_path / "map").write_text("V_9 { global: f; };")
    flags = (*SHARED, f"-Wl,--version-script={tmp_path}/map", "-Wl,-soname,libz9.so")
    library = compiled("libz9.so", LIBRARY, *flags)
    program = compiled("user", USER, library, f"-Wl,-rpath,{tmp_path}")
    (tmp_path / "map").write_text("V_8 { global: f; };")
    compiled("libz9.so", LIBRARY, *flags)
    assert "V_9" in message(program)


def test_libraries_that_the_user_names(compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "with space"
    folder.mkdir()
    library = compiled("with space/liby.so", LIBRARY, *SHARED, "-Wl,-soname,liby.so")
    program = compiled("y", USER, library)
    assert "liby.so, which is not found" in message(program)
    # in the guest it is found in /job, so once is enough
    packed = places(program, library)
    assert packed["liby.so"] == library and "lib/liby.so" not in packed
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    assert places(program)["lib/liby.so"] == library


def test_a_relative_library_is_refused(compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    compiled("libx.so", LIBRARY, *SHARED)
    program = compiled("x", USER, "./libx.so")
    assert "needs the library ./libx.so, found in the current folder only" in message(program)


def test_two_libraries_of_one_name(compiled, tmp_path: Path):
    programs = []
    for number in (1, 2):
        (tmp_path / f"d{number}").mkdir()
        text = f"int f(void) {{ return {number}; }}"
        library = compiled(f"d{number}/libs.so", text, *SHARED, "-Wl,-soname,libs.so")
        programs.append(compiled(f"p{number}", USER, library, f"-Wl,-rpath,{tmp_path}/d{number}"))
    said = message(*programs)
    assert f"{tmp_path}/d2/libs.so: its place" in said and f"taken by {tmp_path}/d1/libs.so" in said


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"#!/usr/bin/python3\n", "a script for /usr/bin/python3"),
        (b"#!\n", "a script for nothing"),
        (ELF + b"\x01\x01" + bytes(14), "no program for x86-64"),
        (ELF + b"\x02\x01" + bytes(12) + b"\xb7\x00", "no program for x86-64"),
    ],
)
def test_what_the_guest_cannot_run(tmp_path: Path, head: bytes, said: str):
    """Refused if it is to be run: as data it is packed as it is."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "prog"
    path.write_bytes(head)
    path.chmod(0o755)
    assert f"{path}: {said}" in message(path)
    assert f"{path}: {said}" in message(folder, started="folder/prog")
    assert places(folder) == {"folder/prog": path}
    path.chmod(0o644)
    assert places(path) == {"prog": path}


def test_a_damaged_program_is_packed_without_libraries(tmp_path: Path):
    """ldd knows no more of it than of a static one."""
    path = tmp_path / "prog"
    path.write_bytes(ELF + b"\x02\x01" + bytes(12) + b"\x3e\x00" + bytes(30))
    path.chmod(0o755)
    assert libraries(path) == {} and set(places(path)) == {"prog"}


def test_libraries_in_a_folder_get_theirs(compiled, tmp_path: Path):
    (tmp_path / "plugins").mkdir()
    path = compiled("plugins/libp.so.1", LIBRARY, *SHARED, "-Wl,--no-as-needed", "-lm")
    path.chmod(0o644)
    assert "lib/libm.so.6" in places(tmp_path / "plugins")


def test_folders_are_packed_whole(tmp_path: Path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "deep/a\nb").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    (folder / "link").symlink_to("../other")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "script").chmod(0o755)
    wanted = {"script", "data/deep/a\nb", "data/empty", "data/link/file"}
    assert set(places(folder, tmp_path / "script")) == wanted


def test_what_a_folder_cannot_have(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    odd = folder / "odd"
    odd.symlink_to("nowhere")
    assert f"{odd}: the link leads to nowhere: no such file" in message(folder)
    odd.unlink()
    odd.symlink_to(folder)
    assert f"{odd}: a link to a folder that it is in" in message(folder)
    odd.unlink()
    os.mkfifo(odd)
    assert f"{odd}: neither a file nor a folder" in message(folder)


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each name in /job is there once, and leads to nothing else, however it is written."""
    for name in ("d1/data", "d2/data", "lib/data", "w/run"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "data").write_text("x")
    monkeypatch.chdir(tmp_path / "d1/data")
    assert set(places(".")) == {"data/file"}
    assert set(places("..")) == {"d1/data/file"}
    assert "/job/data is taken" in message(".", tmp_path / "d2/data")
    assert "/job/data is taken" in message(".", tmp_path / "data")
    assert "/job/data is taken" in message(tmp_path / "data", ".")
    assert "name what is in it" in message("/")
    monkeypatch.chdir(tmp_path / "lib/data")
    assert "/job/lib is taken" in message("..")
    monkeypatch.chdir(tmp_path / "w/run")
    assert "/job/run is taken" in message(".")


@pytest.mark.parametrize(
    "place", ["", "/", ".", "..", "../x", "a/../b", "a//b", "env", "run", "run/x", "/init",
              "/job/x", "/bin/sh", "/usr/bin/measure", "/proc/x", "/tmp/x"]
)  # fmt: skip
def test_places_that_are_none(tmp_path: Path, place: str):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="the guest"):
        Packer().add(place, tmp_path / "file")
