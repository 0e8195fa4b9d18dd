"""What an explainer left beside a run: its scores, its main table and figure, its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ser.results import read_json

#: Folder of the explanation that ``ser train explainer=…`` makes, in that of its run.
FOLDER = "explanation"
PAGE = "explanation.html"
#: Of explanations that say where in a clip relevance lies.
RECORDS, SENTENCES = "explanation.json", "sentences.csv"
ENDS = ("_ci_low", "_ci_high")


@dataclass(frozen=True, eq=False)
class Explanation:
    """A finished explanation.

    Attributes:
        folder: where it lies.
        method: the explainer.
        metrics: as its ``metrics.json`` says.
        located: whether it says where in clips relevance lies.
    """

    folder: Path
    method: str
    metrics: Mapping[str, float]
    located: bool

    @property
    def page(self) -> Path | None:
        """The page on which clips can be heard and seen."""
        path = self.folder / PAGE
        return path if path.is_file() else None

    @property
    def figures(self) -> list[Path]:
        """Drawings, the main one first: that whose name is most like the explainer's."""
        return self._sort((self.folder / "figures").glob("*.svg"))

    @property
    def tables(self) -> list[Path]:
        """Tables, the main one first; those of attributions of clips are the scores that ``metrics`` has."""
        return [] if self.located else self._sort(self.folder.glob("*.csv"))

    @property
    def scores(self) -> dict[str, tuple[float, float, float]]:
        """Metrics with the ends of their intervals (NaN without), but for times and what belongs to another metric."""
        names = [name for name in self.metrics if not name.endswith((*ENDS, "_skill", "_z")) and "seconds" not in name]
        return {name: self._bound(name) for name in names}

    def read_sentences(self) -> list[str]:
        """What was found of each emotion, in words, where a cue linker said so."""
        path = self.folder / SENTENCES
        table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
        return [str(text) for text in table.loc[table["scope"] == "emotion", "text"]] if len(table) else []

    def _bound(self, name: str) -> tuple[float, float, float]:
        low, high = (self.metrics.get(f"{name}{end}", float("nan")) for end in ENDS)
        return self.metrics[name], low, high

    def _sort(self, paths: Any) -> list[Path]:
        return sorted(paths, key=lambda path: (-count_common(path.stem, self.method), path.name))


def count_common(one: str, other: str) -> int:
    """How many letters two words have in common at their beginnings."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def read_explanation(folder: Path) -> Explanation | None:
    """The explanation in a folder; ``None`` where there is none, or it did not finish."""
    if read_json(folder / "run.json").get("state") != "finished" or not (folder / "metrics.json").is_file():
        return None
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    method = (config.get("choices") or {}).get("explainer")
    metrics = {name: float(value) for name, value in read_json(folder / "metrics.json").items() if value is not None}
    return Explanation(folder, str(method), metrics, (folder / RECORDS).is_file()) if method else None
