"""Published checkpoints of a network that were fine-tuned on speech of a language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser.errors import InputError
from ser.language.heard import Heard, read_heard
from ser.language.start import check_backbone, start_from


class PublishedCheckpoint:
    """Starts from the checkpoint that a table names for the backbone's source and a language.

    Args:
        table: source of the backbone → language → source of the checkpoint.
        language: BCP-47 code.
        _: keys of the other choices.
    """

    def __init__(self, table: Mapping[str, Mapping[str, str]], language: str | None = None, **_: object) -> None:
        self.table = table
        self.language = language

    def list_heard(self, backbone: Any) -> list[Heard]:
        """Nothing but what a folder in the table says: of published checkpoints, clips and speakers are not known."""
        return read_heard(self.find(backbone))

    def apply(self, backbone: Any) -> Any:
        """The backbone with that checkpoint's weights."""
        return start_from(backbone, self.find(backbone))

    def find(self, backbone: Any) -> str:
        """The checkpoint's source.

        Raises:
            InputError: the table has none for this backbone and language; says which it has.
        """
        check_backbone(backbone, "language=checkpoint")
        known = self.table.get(backbone.source or "", {})
        if self.language is None or self.language not in known:
            expected = "; ".join(f"{source}: {', '.join(codes)}" for source, codes in self.table.items())
            raise InputError(
                f"language.language={self.language}: no published checkpoint for backbone.source={backbone.source}",
                expected=f"language.language={'|'.join(known)}"
                if known
                else f"backbone.source and language of {expected}",
                remedy="language=ctc fine-tunes any self-supervised backbone on transcribed speech; or name a "
                "checkpoint of your own with language=none backbone.source=…",
            )
        return known[self.language]
