# SPDX-License-Identifier: GPL-2.0-or-later
"""The one error that users see as a line without a traceback."""


class UserError(Exception):
    """Something the user can mend; the message says what and how."""
