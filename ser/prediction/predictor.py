"""The models of a finished run as one: what they say of recordings, together.

Several folds' models are an ensemble: the mean of their probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from ser.audio.duration import Fixed
from ser.audio.inspect import count_cores
from ser.audio.prepare import BadAudio
from ser.errors import InputError
from ser.model import TrainedModel, name_inputs
from ser.prediction.ask import Panel, measure
from ser.prediction.calibrate import Temperature, fit_temperature, temper
from ser.prediction.hear import read_inputs
from ser.prediction.opened import OpenedRun
from ser.prediction.places import WINDOW, Place, Windows, make_places
from ser.prediction.said import Prediction, Said, make_prediction

#: Places whose sound is in memory at once, while that of as many others is being read.
AHEAD = 128


@dataclass(frozen=True, eq=False)
class Predictor:
    """Models that were fitted alike, of one run.

    Attributes:
        name: for people.
        models: one, or one a fold.
        temperature: that divides the logits of each; ``None`` leaves probabilities as they are.
    """

    name: str
    models: tuple[TrainedModel, ...]
    temperature: Temperature | None = None

    @classmethod
    def load(
        cls,
        run: str | Path,
        fold: str | None = None,
        calibrated: bool = False,
        present: DictConfig | None = None,
        accelerator: str = "auto",
    ) -> Predictor:
        """That of a finished run, or of an export.

        Args:
            run: id, key or directory of a run of ``ser train``, or the folder of an export.
            fold: name or number of the fold whose model it is; ``None``: all of them together.
            calibrated: divide logits by a temperature that is fitted on the run's validation predictions.
            present: a configuration with ``tracking`` and ``paths``, to look up ids and keys; ``None``: the usual one.
            accelerator: ``cpu``, or others for the accelerator that there is.

        Raises:
            InputError: no such run or fold, weights that are gone, nothing to fit a temperature on.
        """
        opened = OpenedRun.open(run, present, accelerator)
        folds = opened.choose_folds(fold)
        temperature = find_temperature(opened, folds) if calibrated else None
        return cls(opened.name, tuple(opened.load_model(each) for each in folds), temperature)

    @cached_property
    def panel(self) -> Panel:
        """The models, to be asked together."""
        return Panel(self.models)

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which clips are heard."""
        return self.models[0].rate

    @property
    def emotions(self) -> tuple[str, ...]:
        """Classes of any of the models, sorted; none where numbers are predicted."""
        return self.panel.emotions

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What numbers are predicted."""
        return tuple(self.models[0].head.dimensions)

    @property
    def reads(self) -> str:
        """``sound``, ``transcripts``, or ``sound and transcript``."""
        return name_inputs(self.models[0].trunk)

    @property
    def longest_window(self) -> float:
        """In s: what is longer would be cut by the run's own preparation."""
        duration = self.models[0].preparation.duration
        return duration.seconds if isinstance(duration, Fixed) else WINDOW

    def __call__(self, audio: str | Path | np.ndarray, text: str | None = None) -> Prediction:
        """What is said of one recording.

        Args:
            audio: a file, or a mono waveform [T] at :attr:`rate`, which is prepared as a file's would be.
            text: what is said in it, for models that read.

        Raises:
            InputError: a file that cannot be used, no text for a model that reads one.
        """
        is_file = isinstance(audio, str | Path)
        samples = None if is_file else np.asarray(audio, dtype=np.float32)
        if samples is not None and samples.ndim != 1:
            raise InputError(f"audio: an array of shape {samples.shape}", expected="one channel: [samples]")
        (found,) = self.judge([Place(str(audio) if is_file else "array", text=text, samples=samples)])
        if isinstance(found, BadAudio):
            raise InputError(f"{audio if is_file else 'audio'}: {found}", remedy="give another recording")
        return found

    def judge(self, wholes: Sequence[Place]) -> list[Prediction | BadAudio]:
        """What is said of each recording, of a long one the mean over its windows; or why nothing can be said.

        Raises:
            InputError: no text for a model that reads one.
        """
        check_texts([self], wholes)
        parts = [self._divide(whole) for whole in wholes]
        said = self.say([part for own in parts for part in own])
        found: list[Prediction | BadAudio] = []
        begin = 0
        for own in parts:
            kept = [at for at in range(begin, begin + len(own)) if at not in said.problems]
            if not kept:
                found.append(said.problems[begin])
            elif own[0].start is None:
                found.append(make_prediction(said, said.scores[begin]))
            else:
                windows = tuple(make_prediction(said, said.scores[at], own[at - begin]) for at in kept)
                found.append(replace(make_prediction(said, said.scores[kept].mean(axis=0)), windows=windows))
            begin += len(own)
        return found

    def _divide(self, whole: Place) -> list[Place]:
        """The windows of a long recording, or itself; of what is read nobody knows in which window it is said."""
        return Windows(most=self.longest_window).divide(whole, self.rate) if self.reads == "sound" else [whole]

    def predict(self, audio: Sequence[str | Path], texts: Sequence[str | None] | None = None) -> pd.DataFrame:
        """A row a recording, or a window of a long one, as ``ser predict`` has them.

        Args:
            audio: files.
            texts: what is said in them.

        Raises:
            InputError: a file that cannot be used; ``ser predict`` goes on without it.
        """
        from ser.prediction.table import tabulate

        wholes = make_places(map(str, audio), texts)
        check_texts([self], wholes)
        places = [part for whole in wholes for part in self._divide(whole)]
        said = self.say(places)
        for at, problem in said.problems.items():
            if places[at].start is None:
                raise InputError(f"{places[at].shown}: {problem}")
        return tabulate(places, said)

    def warm_up(self) -> None:
        """Run once on a second of noise, so that what is wrong with the model is not blamed on a recording."""
        noise = (0.01 * np.random.default_rng(0).standard_normal(self.rate)).astype(np.float32)
        ask = {"sound": noise, "transcripts": "a", "sound and transcript": (noise, "a")}
        self.panel.ask([ask[self.reads]])

    def say(self, places: Sequence[Place], advance: Callable[[int], None] = lambda _: None) -> Said:
        """What is said of places.

        Args:
            places: recordings, or windows of them.
            advance: is told how many more are done.

        Raises:
            InputError: nothing; what is wrong with a place is in its problem (see :meth:`warm_up`).
        """
        names = self.emotions or self.dimensions
        scores = np.full((len(places), len(names)), np.nan)
        problems: dict[int, BadAudio] = {}
        seconds = 0.0
        for heard in self._read_ahead(places):
            inputs: dict[int, list[Any]] = {}
            for at, found in heard.items():
                if isinstance(found, BadAudio):
                    problems[at] = found
                else:
                    inputs[at] = found
                    seconds += self._count_seconds(places, at, found)
            for at, answer in self.panel.ask_all(inputs):
                if isinstance(answer, BadAudio):
                    problems[at] = answer
                else:
                    scores[at] = self._combine(answer)
            advance(len(heard))
        return Said(names, bool(self.emotions), scores, problems, seconds)

    def ask(self, clips: Sequence[Any]) -> np.ndarray:
        """What is said of clips in one batch [N, K]: waveforms prepared as for training, texts, or pairs of both."""
        return self._combine(self.panel.ask(clips))

    def _read_ahead(self, places: Sequence[Place]) -> Iterator[dict[int, list[Any] | BadAudio]]:
        """Inputs of places by number, some of them at a time, while the next ones are being read."""
        model = self.models[0]

        def read(place: Place) -> list[Any] | BadAudio:
            try:
                return read_inputs(model, place)
            except BadAudio as problem:
                return problem

        with ThreadPoolExecutor(count_cores()) as pool:
            before: dict[int, Future[list[Any] | BadAudio]] = {}
            for first in range(0, len(places) + AHEAD, AHEAD):
                after = {at: pool.submit(read, places[at]) for at in range(first, min(first + AHEAD, len(places)))}
                if before:
                    yield {at: future.result() for at, future in before.items()}
                before = after

    def _count_seconds(self, places: Sequence[Place], at: int, inputs: Sequence[Any]) -> float:
        """Of sound in a place that is not in the window before it."""
        place, before = places[at], places[at - 1] if at else None
        if self.reads == "transcripts":
            return 0.0
        if place.start is None or place.end is None:
            return sum(map(measure, inputs)) / self.rate
        heard = before.end if before is not None and before.file == place.file and before.end is not None else 0.0
        return place.end - max(place.start, heard)

    def _combine(self, answers: np.ndarray) -> np.ndarray:
        """Scores [..., K] from those of each model [..., models, K]."""
        return (answers if self.temperature is None else temper(answers, self.temperature.value)).mean(axis=-2)


def find_temperature(opened: OpenedRun, folds: list[str]) -> Temperature:
    """That of a run's folds together, or what an export kept of it.

    No clip was held out from the models of all folds, so it is each model's own probabilities that are calibrated;
    their mean is a little less sure than it could be.
    """
    kept = opened.exported.get("temperatures")
    if kept is None:
        return fit_temperature(opened.read_validated(folds))
    found = kept.get(folds[0] if len(folds) == 1 else "all")
    return Temperature(**found) if found else fit_temperature(pd.DataFrame())


def check_texts(predictors: Sequence[Predictor], places: Sequence[Place]) -> None:
    """Raise InputError where a model reads what is said, and is not told."""
    for predictor in predictors:
        text = predictor.models[0].trunk.text
        if text is None or text.backbone.missing == "mask":
            continue
        lacking = [place.file for place in places if not place.text]
        if lacking:
            raise InputError(
                f"texts: {predictor.name} reads {predictor.reads}, and {len(lacking)} of {len(places)} recordings have "
                f"no text: {', '.join(lacking[:5])}",
                expected="texts=<table with columns clip,text>, clips named by their files",
                remedy="`ser data transcribe` writes such a table for a corpus; from Python pass text=…",
            )
