"""What the viewer is told about a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ser.errors import InputError
from ser.explainer.attribution import Attribution

Span = tuple[float, float]
#: Differences below this false discovery rate are shown as found.
LEVEL = 0.05


@dataclass(frozen=True)
class CueLine:
    """A cue in the salient regions, against the same speaker's neutral.

    Attributes:
        cue: its name.
        contrast_sd: difference in standard deviations.
        expected: direction that experts expect of the emotion (above 0: higher than neutral, below 0: lower, 0: no
            change); ``None`` where they disagree or say nothing.
        q: false discovery rate, or ``None`` where it was not tested.
        sentence: the finding in plain words.
    """

    cue: str
    contrast_sd: float
    expected: float | None
    q: float | None
    sentence: str

    @property
    def found(self) -> bool:
        """Whether there is a difference."""
        return self.q is not None and self.q < LEVEL

    @property
    def verdict(self) -> str:
        """What experts expect, and whether it is so."""
        if self.expected is None:
            return "nothing agreed"
        word = "no change" if self.expected == 0 else "higher" if self.expected > 0 else "lower"
        if not self.found or self.expected == 0:
            return word
        return f"{word} ✓ agrees" if self.expected * self.contrast_sd > 0 else f"{word} ✗ disagrees"


@dataclass(frozen=True, eq=False)
class ViewerClip:
    """A clip, what a model made of it and what explainers say about that.

    Attributes:
        clip: its id in the manifest.
        dataset: name of its corpus.
        speaker: who speaks.
        true: the emotion that was felt, or acted.
        predicted: the emotion that the model names.
        probability: of the predicted emotion, or ``None``.
        waveform: mono, float32 [T].
        rate: in Hz.
        offset: when ``waveform[0]`` happens, in s on the time axis of the original file.
        attributions: of each method; those that are not valid are named with their reasons, not drawn.
        regions: salient stretches of each method, s on the file's axis.
        cues: contrasts with the speaker's neutral.
        sentence: what was found, in plain words.
        span: the planted stretch that carries the emotion, where it is known.
        decoy: the planted stretch that does not.
        scores: of each method, each metric.
    """

    clip: str
    dataset: str
    speaker: str
    true: str
    predicted: str
    probability: float | None
    waveform: np.ndarray
    rate: int
    offset: float
    attributions: Mapping[str, Attribution]
    regions: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    cues: Sequence[CueLine] = ()
    sentence: str = ""
    span: Span | None = None
    decoy: Span | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.waveform.ndim != 1 or not len(self.waveform) or not np.isfinite(self.waveform).all():
            raise InputError(
                f"clip {self.clip}: a waveform of shape {self.waveform.shape} cannot be shown",
                expected="finite samples of one channel [T]",
            )
        broken = [name for name, one in self.attributions.items() if one.valid and not np.isfinite(one.values).all()]
        if broken:
            raise InputError(
                f"clip {self.clip}: values of {', '.join(broken)} are not finite", expected="such a map is not valid"
            )

    @property
    def correct(self) -> bool:
        """Whether the model names what was felt."""
        return self.predicted == self.true

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.waveform) / self.rate
