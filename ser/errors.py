"""Errors that a user can mend; the command line prints them without a traceback."""


class InputError(Exception):
    """The command, the configuration or the data is wrong.

    Build it from the parts a reader needs to mend it, e.g.
    ``InputError("dataset.root=/data/emodb: no such folder", expected="the folder that holds wav/",
    remedy="pass dataset.root=… or set SER_DATA")``. The command line exits with code 2.
    """

    def __init__(self, problem: str, *, expected: str = "", remedy: str = "") -> None:
        parts = [problem]
        if expected:
            parts.append(f"  expected: {expected}")
        if remedy:
            parts.append(f"  remedy:   {remedy}")
        super().__init__("\n".join(parts))


class LeakError(InputError):
    """A split lets something of the test part (speakers, sentences) into training."""
