# SPDX-License-Identifier: GPL-2.0-or-later
"""Entry point: python -m demeter_bench."""

import sys

from .errors import UserError

try:
    from .cli import main
except UserError as error:
    # a folder of designs/ or workloads/ that cannot be loaded
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)

sys.exit(main())
