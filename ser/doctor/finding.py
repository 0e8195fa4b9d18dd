"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """One line of ``ser doctor``.

    Attributes:
        status: ``ok``, ``warning`` or ``error``.
        text: what was found.
        remedy: what to do about it.
    """

    status: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.status:<8}{self.text}" + (f"\n{'':<8}remedy: {self.remedy}" if self.remedy else "")
