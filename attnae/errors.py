"""The one error type that speaks to the user."""

import re


class UserError(ValueError):
    """A mistake of the user's: one line that says what was wrong, where, and what to type instead.

    The command line prints the message without a traceback and exits with code 2. Names from files may stand in it:
    line ends become spaces, and control characters, which could steer a terminal, their escapes.
    """

    def __init__(self, message: str) -> None:
        line = re.sub(r"\s*[\r\n]\s*", " ", message)
        super().__init__("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line))
