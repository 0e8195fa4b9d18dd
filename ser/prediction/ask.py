"""Models that were fitted alike, asked about clips in batches of similar length; a frozen backbone runs once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd

from ser.audio.inspect import count_cores
from ser.audio.prepare import BadAudio
from ser.errors import InputError
from ser.head.data import Part, Predictions, Values
from ser.head.fused_trunk import FusedTrunk
from ser.model import TrainedModel

#: s of sound in a batch, padding included; accelerators idle with less than ten times as many.
SECONDS, ACCELERATED = 16, 160
#: Clips in a batch where a backbone takes them one by one.
AT_ONCE = 128


class Panel:
    """Several models of one run; one is a panel, too.

    Args:
        models: of folds; they have the same trunk.

    Attributes:
        names: emotions of any of them, sorted; or dimensions.
    """

    def __init__(self, models: Sequence[TrainedModel]) -> None:
        self.models = models
        self.trunk = models[0].trunk
        self.emotions = tuple(sorted({emotion for model in models for emotion in model.emotions}))
        self.names = self.emotions or tuple(models[0].head.dimensions)

    def ask_all(self, inputs: Mapping[int, Sequence[Any]]) -> Iterator[tuple[int, np.ndarray | BadAudio]]:
        """Scores [models, K] of places by number, the mean over the inputs of each; or why there are none.

        Args:
            inputs: of each place one, or one for each window of it.
        """
        flat = [(at, one) for at, own in inputs.items() for one in own]
        answers: dict[int, Any] = {}
        for batch in self.cut([one for _, one in flat]):
            for place, answer in zip(batch, self.attempt([flat[place][1] for place in batch]), strict=True):
                answers[place] = answer
        own: dict[int, list[Any]] = {at: [] for at in inputs}
        for place, (at, _) in enumerate(flat):
            own[at].append(answers[place])
        for at, found in own.items():
            problem = next((each for each in found if isinstance(each, BadAudio)), None)
            yield at, problem or np.mean(found, axis=0)

    def cut(self, clips: Sequence[Any]) -> list[list[int]]:
        """Numbers of clips in batches."""
        if not (self.trunk.backbone.frames or isinstance(self.trunk, FusedTrunk)):
            return [list(range(first, min(first + AT_ONCE, len(clips)))) for first in range(0, len(clips), AT_ONCE)]
        from ser.backbone.frames import choose_device, cut_batches

        first = self.models[0]
        seconds = SECONDS if choose_device(first.accelerator).type == "cpu" else ACCELERATED
        batches = cut_batches({str(at): measure(clip) for at, clip in enumerate(clips)}, seconds * first.rate)
        return [[int(at) for at in batch] for batch in batches]

    def attempt(self, clips: Sequence[Any]) -> list[np.ndarray | BadAudio]:
        """Scores [models, K] of each clip; where a batch fails, of those that do not."""
        try:
            answers = self.ask(clips)
        except (InputError, MemoryError, RuntimeError) as error:
            if len(clips) == 1:
                return [BadAudio(str(error).partition("\n")[0])]
            middle = len(clips) // 2
            return [*self.attempt(clips[:middle]), *self.attempt(clips[middle:])]
        return [
            each if np.isfinite(each).all() else BadAudio("the model yields numbers that are not finite")
            for each in answers
        ]

    def ask(self, clips: Sequence[Any]) -> np.ndarray:
        """Scores [N, models, K] of clips in one batch; emotions that a model does not know have the probability 0."""
        answers = np.zeros((len(clips), len(self.models), len(self.names)))
        for at, said in enumerate(self._ask_each(clips)):
            if isinstance(said, Values):
                answers[:, at] = said.predicted
            else:
                answers[:, at, [self.names.index(emotion) for emotion in said.emotions]] = said.probabilities
        return answers

    def _ask_each(self, clips: Sequence[Any]) -> Iterator[Predictions | Values]:
        if self.trunk.trains or isinstance(self.trunk, FusedTrunk):
            yield from (model.predict(clips) for model in self.models)
            return
        names = [f"clip {number}" for number in range(len(clips))]
        rows = pd.DataFrame({"clip": names}).assign(path="", start=np.nan, end=np.nan, emotion="")
        samples = np.array([measure(clip) for clip in clips])
        part = Part(rows, samples, self._extract(clips, names), self.models[0].preparation)
        yield from (model.head.predict(part) for model in self.models)

    def _extract(self, clips: Sequence[Any], names: Sequence[str]) -> np.ndarray:
        """Features of a frozen backbone; functionals, which know no batches, on all cores."""
        compute = self.models[0].compute_features
        if self.trunk.backbone.frames:
            return compute(clips, names)
        with ThreadPoolExecutor(count_cores()) as pool:
            return np.concatenate(list(pool.map(lambda clip, name: compute([clip], [name]), clips, names)))


def measure(clip: Any) -> int:
    """Samples of a clip, or signs of a text."""
    return len(clip[0]) if isinstance(clip, tuple) else max(1, len(clip))
