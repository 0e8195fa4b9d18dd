"""``explainer=modality``: how much of a fused model's decisions comes from what is said and from how it is said.

What a set of modalities is worth in a clip is the margin (or the probability) of a class where the others are drawn
anew from other clips: sounds of the same speaker and about the same length, texts of about the same length. For two
modalities Shapley values and their interaction are exact. Intervals resample speakers.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.modality.figure import draw_shares
from ser.explainer.modality.material import Material, Sampling, gather
from ser.explainer.modality.planted import compare, describe_caused, describe_planted, is_track_c, play_states, point
from ser.explainer.modality.share import COLUMNS, Division, share_out
from ser.explainer.modality.table import Rows
from ser.explainer.modality.tables import describe_clips, find_gap, list_metrics, tabulate_scores, tabulate_shares
from ser.explainer.probing.figures import write_drawings
from ser.explainer.truth import judge_gate
from ser.finished import FinishedRun
from ser.head.fused_trunk import FusedTrunk
from ser.head.trunk import Trunk
from ser.statistics.figures.style import PRINT

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Modality:
    """The choice.

    Attributes:
        target: which emotion is explained, the ``predicted`` or the ``true`` one.
        worth: what of it counts, its ``margin`` or its ``probability``.
        draws: other clips that stand for a sound or a text that is not known.
        band: largest ratio of lengths of clips that stand for each other.
        clips: of a fold that are compared, at most; every sound is put together with every text.
        owen: clips whose shares are shared out among words and stretches of sound, of the whole run; 0 for none.
        owen_draws: other clips that stand for a part of one.
        seconds: length of a stretch of sound where times of words are unknown.
        parts: of a modality of a clip, at most.
        masks: sets of parts that the model is asked about; all of them where they are no more.
        bootstrap: resamples of speakers.
        seed: of all that is drawn.
    """

    explains_fused: ClassVar[bool] = True

    target: str = "predicted"
    worth: str = "margin"
    draws: int = 16
    band: float = 1.25
    clips: int = 400
    owen: int = 40
    owen_draws: int = 4
    seconds: float = 0.5
    parts: int = 8
    masks: int = 64
    bootstrap: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.target not in ("predicted", "true"):
            raise InputError(f"explainer.target={self.target}", expected="predicted or true")
        if self.worth not in ("margin", "probability"):
            raise InputError(f"explainer.worth={self.worth}", expected="margin or probability")
        for name, least in {"draws": 1, "clips": 2, "owen": 0, "parts": 1, "masks": 2, "bootstrap": 2}.items():
            if getattr(self, name) < least:
                raise InputError(f"explainer.{name}={getattr(self, name)}", expected=f"{least} or more")
        if not 1 <= self.owen_draws <= self.draws:
            raise InputError(f"explainer.owen_draws={self.owen_draws}", expected=f"1 to explainer.draws={self.draws}")
        if self.band < 1 or self.seconds <= 0:
            raise InputError(
                f"explainer.band={self.band}, explainer.seconds={self.seconds}",
                expected="a ratio of 1 or more, s above 0",
            )

    def check_trunk(self, trunk: Trunk, head: Any) -> None:  # noqa: ARG002 - explainers are alike
        """Refuse models of one modality, whose share is all there is.

        Raises:
            InputError: with the reason.
        """
        if not isinstance(trunk, FusedTrunk):
            reads = "transcripts" if trunk.reads_text else "sound"
            raise InputError(
                f"explainer=modality: the model gets {reads} alone, so all of its decisions come from there (share 1)",
                expected="backbone=fusion with fusion.modalities=both",
            )

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Explain; tables and a figure go into the folder."""
        began = time.perf_counter()
        self.check_trunk(finished.trunk, finished.choices.head)
        if finished.corpus.dimensions:
            raise InputError("explainer=modality: margins are of classes", remedy="explain a run of emotions")
        tables: list[pd.DataFrame] = []
        parts: list[pd.DataFrame] = []
        caused: list[pd.DataFrame] = []
        for fold in finished.folds:
            material = gather(finished, fold, self.sampling)
            log.info("modalities of fold %s: %d clips", fold, len(material.rows))
            game = material.play()
            table, planted = describe_clips(material, game), is_track_c(material.rows)
            tables.append(table.join(describe_planted(material)) if planted else table)
            chosen = self.choose(material, len(finished.tested))
            parts += [share_out(material, game, clip, self.division) for clip in chosen]
            if planted:
                caused.append(describe_caused(material, play_states(material, finished.corpus.preparation)))
        clips = pd.concat(tables, ignore_index=True)
        shared = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
        metrics = self.write(folder, clips, shared)
        if is_track_c(clips):
            beside = compare(clips, self.bootstrap, pd.concat(caused, ignore_index=True) if caused else pd.DataFrame())
            beside.cells.to_csv(folder / "planted.csv", index=False)
            metrics |= {**beside.metrics, **point(shared, clips), **judge_gate(finished.tested)}
        return {**metrics, "seconds": time.perf_counter() - began}

    @property
    def sampling(self) -> Sampling:
        """Which clips are compared."""
        return Sampling(self.target, self.worth, self.clips, self.draws, self.band, self.seed)

    @property
    def division(self) -> Division:
        """How shares are shared out."""
        return Division(self.seconds, self.parts, self.masks, self.owen_draws, self.seed)

    def choose(self, material: Material, tested: int) -> Rows:
        """The clips of a fold whose shares are shared out: as many of each emotion as there are."""
        wanted = min(len(material.rows), int(np.ceil(self.owen * len(material.rows) / tested)))
        shuffled = np.random.default_rng([self.seed, len(material.rows)]).permutation(len(material.rows))
        turn = pd.Series(material.classes[shuffled]).groupby(material.classes[shuffled]).cumcount().to_numpy()
        return np.sort(shuffled[np.argsort(turn, kind="stable")][:wanted])

    def write(self, folder: Path, clips: pd.DataFrame, parts: pd.DataFrame) -> dict[str, float]:
        """Write what holds of any corpus; returns the metrics."""
        shares, scores = tabulate_shares(clips, self.bootstrap), tabulate_scores(clips, self.bootstrap)
        clips.to_parquet(folder / "modality_clips.parquet", index=False)
        parts.to_parquet(folder / "owen.parquet", index=False)
        for name, table in (("shares", shares), ("scores", scores)):
            table.to_parquet(folder / f"modality_{name}.parquet", index=False)
            table.to_csv(folder / f"modality_{name}.csv", index=False)
        truth = list_truth(clips) if is_track_c(clips) else pd.DataFrame()
        write_drawings(folder / "figures", [("modality", lambda: draw_shares(shares, scores, truth, PRINT))])
        wide = {f"modality/wide_{name}": float(clips[f"wide_{name}"].mean()) for name in ("audio", "text")}
        found = {"modality/clips": float(len(clips)), "modality/efficiency_gap": find_gap(clips, parts), **wide}
        return {**list_metrics(shares, scores), **found}


def list_truth(clips: pd.DataFrame) -> pd.DataFrame:
    """Planted shares of each emotion: Shapley values and both together."""
    means = clips.groupby("true")[["planted_text", "planted_audio", "planted_both"]].mean()
    return pd.DataFrame(
        {
            "text": means["planted_text"] + means["planted_both"] / 2,
            "audio": means["planted_audio"] + means["planted_both"] / 2,
            "together": means["planted_both"],
        }
    )
