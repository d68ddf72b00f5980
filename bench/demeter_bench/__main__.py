# SPDX-License-Identifier: GPL-2.0-or-later
"""Entry point: python -m demeter_bench."""

import sys

from .cli import main

sys.exit(main())
