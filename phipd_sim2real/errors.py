"""The two ways in which a stage ends without a result."""


class UsageError(Exception):
    """Bad input, refused before any work: the command exits with 2.

    The message is one sentence or two: what was given, what is allowed, what to do.
    """


class StageError(Exception):
    """Work that was started and failed: the command exits with 1 and keeps what is complete."""
