# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that the build has staged, and the files that each becomes on a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from entry import NAME

from . import RefusedError
from .transaction import Content


@dataclass(frozen=True)
class Kernel:
    variant: str  # demeterhost
    release: str  # 6.12.90-demeterhost
    stage: Path  # folder with boot/ and lib/

    @property
    def vmlinuz(self) -> Path:
        return self.stage / "boot" / f"vmlinuz-{self.release}"

    @property
    def config(self) -> Path:
        return self.stage / "boot" / f"config-{self.release}"

    @property
    def folder(self) -> Path:
        """Where its modules are."""
        return self.stage / "lib/modules" / self.release

    def has(self, symbol: str) -> bool:
        """Whether it is compiled in."""
        return f"CONFIG_{symbol}=y" in self.config.read_text().splitlines()

    def built_in(self) -> set[str]:
        """Return the names of modules that are compiled in."""
        lines = (self.folder / "modules.builtin").read_text().split()
        return {PurePath(line).stem.replace("-", "_") for line in lines}

    def modules(self, folder: str) -> dict[str, Content]:
        """Return its modules, and its configuration beside them, by their paths below folder."""
        files = {f"{folder}/{self.release}/config": Content(file=self.config)}
        for path in sorted(self.folder.rglob("*")):
            content = Content(link=str(path.readlink())) if path.is_symlink() else Content(path)
            if content.link or path.is_file():
                files[f"{folder}/{self.release}/{path.relative_to(self.folder)}"] = content
        return files


def staged(stage: Path, variant: str) -> Kernel:
    """Read what `make` has staged for a variant."""
    try:
        kernel = Kernel(variant, (stage / "release").read_text().strip(), stage)
    except OSError as error:
        raise RefusedError(f"{variant} is not built: {stage}: {error.strerror}") from None
    if not NAME.fullmatch(kernel.release) or not kernel.release.endswith(f"-{variant}"):
        raise RefusedError(f"{stage}/release is no release of {variant}: {kernel.release!r}")
    for path in (kernel.vmlinuz, kernel.config, kernel.folder / "modules.builtin"):
        if not path.exists():
            raise RefusedError(f"{variant} is not staged as a whole: there is no {path}")
    return kernel
