"""InputError: what the user can fix. Anything else that is raised is a bug of ours."""

import re

TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Colours and the like, which libraries put into messages that we quote."""


class InputError(Exception):
    """Says what is wrong with which value, what was expected, and what to do.

    The command line prints the message alone and exits with 2; a notebook shows it like any other exception. Colour
    codes of a terminal are taken out of it.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(TERMINAL_CODES.sub("", message))
