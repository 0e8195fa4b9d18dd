"""No language pre-fine-tuning."""

from __future__ import annotations

from typing import Any

from ser.language.heard import Heard, read_heard


class NoLanguage:
    """Leaves the backbone as it is; it is given the keys of the other choices, which mean nothing here."""

    def __init__(self, **_: object) -> None:
        pass

    def list_heard(self, backbone: Any) -> list[Heard]:
        """What the source itself says: it may be a folder that ``ser pretune`` wrote."""
        branches = getattr(backbone, "branches", (backbone,))
        return [heard for branch in branches for heard in read_heard(getattr(branch, "source", None))]

    def apply(self, backbone: Any) -> Any:
        """The same backbone."""
        return backbone
