"""The explanation of one clip: relevance over time, and over frequency where there is some, on the file's own axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ser.errors import InputError


@dataclass(frozen=True)
class Cost:
    """What an explanation cost.

    Attributes:
        forwards: clips passed through the network.
        backwards: clips passed back through it.
        seconds: of wall time.
    """

    forwards: float = 0.0
    backwards: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Attribution:
    """Why a model favours a class for a clip.

    Attributes:
        clip: its id in the manifest.
        method: the choice of ``conf/explainer``.
        values: signed relevance, float32, [time] or [freq, time], in units of the margin.
        times: centres of the cells in s on the time axis of the original file [time].
        freqs: centres of the cells in Hz [freq], or ``None``.
        step: s between cells.
        target: the emotion that is explained.
        predicted: the emotion that the model names.
        true: the emotion that was felt, or acted.
        score: margin of the target.
        baseline: margin of what the clip was compared with, where the method does so.
        delta: by which share of the difference of both the values miss it (completeness).
        reasons: why the explanation must not be used; none where it is valid.
        cost: see there.
        extras: further arrays, by name.
    """

    clip: str
    method: str
    values: np.ndarray
    times: np.ndarray
    freqs: np.ndarray | None
    step: float
    target: str
    predicted: str
    true: str
    score: float
    baseline: float | None = None
    delta: float | None = None
    reasons: tuple[str, ...] = ()
    cost: Cost = Cost()
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it may be used."""
        return not self.reasons

    @property
    def correct(self) -> bool:
        """Whether the model names what was felt."""
        return self.predicted == self.true

    def over_time(self) -> np.ndarray:
        """Signed relevance [time], summed over frequency."""
        return self.values if self.values.ndim == 1 else self.values.sum(0)

    def describe(self) -> dict[str, object]:
        """For ``explanation.json``."""
        record = {name: getattr(self, name) for name in ("clip", "method", "valid", "target", "true", "score")}
        return {
            **record,
            "prediction": self.predicted,
            "correct": self.correct,
            "times": [round(float(time), 5) for time in self.times],
            "step": self.step,
            "bands": 0 if self.freqs is None else len(self.freqs),
            "baseline": self.baseline,
            "delta": self.delta,
            "reasons": list(self.reasons),
            "cost": asdict(self.cost),
        }


def save_attributions(attributions: Sequence[Attribution], path: Path) -> None:
    """Write values and axes as one compressed file; keys ``<clip>|values``, ``<clip>|times``, ``<clip>|freqs``, ….

    Further arrays are ``<clip>|<name>``.
    """
    arrays: dict[str, np.ndarray] = {}
    for one in attributions:
        arrays[f"{one.clip}|values"] = one.values.astype(np.float32)
        arrays[f"{one.clip}|times"] = one.times
        if one.freqs is not None:
            arrays[f"{one.clip}|freqs"] = one.freqs
        arrays |= {f"{one.clip}|{name}": array for name, array in one.extras.items()}
    temporary = path.with_name(path.name + ".tmp.npz")
    np.savez_compressed(temporary, allow_pickle=False, **arrays)
    temporary.replace(path)


def load_attributions(records: Sequence[Mapping[str, object]], path: Path) -> list[Attribution]:
    """What :func:`save_attributions` wrote, with the records of ``explanation.json``.

    Raises:
        InputError: a clip that the file does not have.
    """
    found = []
    with np.load(path) as arrays:
        for record in records:
            clip = str(record["clip"])
            if f"{clip}|values" not in arrays:
                raise InputError(f"{path}: nothing about the clip {clip}", remedy="run `ser explain` again")
            own = {name.partition("|")[2]: arrays[name] for name in arrays.files if name.startswith(f"{clip}|")}
            found.append(_read_record(record, own))
    return found


def _read_record(record: Mapping[str, object], arrays: dict[str, np.ndarray]) -> Attribution:
    cost, reasons = record["cost"], record["reasons"]
    assert isinstance(cost, dict) and isinstance(reasons, list)
    named = {name: record[name] for name in ("clip", "method", "target", "true", "score", "baseline", "delta")}
    return Attribution(
        **named,  # type: ignore[arg-type]
        values=arrays.pop("values"),
        times=arrays.pop("times"),
        freqs=arrays.pop("freqs", None),
        step=float(str(record["step"])),
        predicted=str(record["prediction"]),
        reasons=tuple(reasons),
        cost=Cost(**cost),
        extras=arrays,
    )
