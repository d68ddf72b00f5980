# SPDX-License-Identifier: GPL-2.0-or-later
"""What tells one build of a file from another."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """The hash of a file's content, "" of a folder."""
    if path.is_dir():
        return ""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
