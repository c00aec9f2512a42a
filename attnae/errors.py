"""The one error type that speaks to the user."""


class UserError(ValueError):
    """A mistake of the user's: one line that says what was wrong, where, and what to type instead.

    The command line prints the message without a traceback and exits with code 2.
    """
