"""Leave one group out: one speaker, one session, one level of any column."""

from __future__ import annotations

from dataclasses import dataclass

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.split.base import Splitter, split_by
from ser.split.fold import Split, make_fold
from ser.split.strata import check_columns, name_values, refuse_missing


@dataclass(kw_only=True)
class LeaveOneGroupOut(Splitter):
    """Tests each level of a column once, trained on the clips of all others. Validation is still carved by speaker.

    Args:
        group: a manifest column, filled for every clip.
    """

    group: str = "speaker"

    def divide(self, manifest: Manifest) -> Split:
        """Folds named by the levels, in reading order.

        Raises:
            InputError: an unknown column, one that is not filled, or one with a single level.
        """
        frame = manifest.frame
        check_columns(frame, [self.group], "split.group")
        refuse_missing(frame, self.group, "split.group")
        names = name_values(frame[self.group])
        levels = names.unique()
        if len(levels) < 2:
            raise InputError(
                f"split.group={self.group}: all clips of {manifest.name} have the same {self.group} ({levels[0]})",
                expected="at least two different values",
                remedy="choose another column for split.group, or another split",
            )
        parts = split_by(names.to_numpy(), levels)
        return Split([make_fold(k, name, rest, rows) for k, (name, rows, rest) in enumerate(parts)])

    def separated(self) -> list[str]:
        """The group as well."""
        return list(dict.fromkeys([*super().separated(), self.group]))
