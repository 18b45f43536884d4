"""The errors a user can meet: what was found, where, and what to do next."""


class LabError(Exception):
    """Any error that the library raises on purpose."""


class BadSource(LabError):
    """A file that cannot be read at all; `place` says where in it."""

    def __init__(self, reason: str, place: str = "file") -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


class BadSettings(LabError):
    """Settings, parameters or a mapping that cannot be used as they are."""


class UnknownRun(LabError):
    """A run was named that the lab does not hold, or that is not one run."""


class NotComputable(LabError):
    """The question cannot be answered from these data; the message says what is missing."""


class Unrepairable(LabError):
    """A text that cannot be mended into JSON or YAML without guessing what was meant."""
