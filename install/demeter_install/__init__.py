# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs host kernels on this machine, or below DESTDIR, and removes them again.

`make install` and `make uninstall` run this package, as root, by the system's own Python:
it needs nothing but the standard library. See docs/install.md.
"""

from __future__ import annotations


class RefusedError(Exception):
    """Why nothing was changed, on one line."""
