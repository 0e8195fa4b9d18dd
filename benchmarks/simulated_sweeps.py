"""Sweeps made up in memory, as ``ser stats`` would read them from a folder.

Answers come from a logit model in which speakers, utterances, speakers' reactions to a condition and trained models
differ by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations, product

import numpy as np
import pandas as pd

from ser.statistics.sources import Job, Source

#: Logit of the share of correct answers of a median speaker on a median utterance.
BASE = 0.85
SPEAKER_SD, UTTERANCE_SD = 0.5, 1.0
EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])
#: Utterances of a speaker, equally many of every emotion.
CLIPS = 40


@dataclass(frozen=True)
class Setting:
    """A sweep of two-level factors, and by how much things differ by chance (SDs on the logit scale).

    Attributes:
        name: in the table.
        speakers: test speakers of every test corpus.
        run: of trained runs; by_fold and by_corpus: of a run's models of single folds, and from corpus to corpus.
        reaction: of speakers' reactions to every factor and combination of factors.
        factors: what is varied.
        runs: seeds a condition.
        folds: folds of a run, each with as many of the speakers.
        shift: by which the second level of the first factor is better.
    """

    name: str
    speakers: tuple[int, ...] = (10,)
    run: float = 0.15
    reaction: float = 0.25
    by_fold: float = 0.0
    by_corpus: float = 0.0
    factors: tuple[str, ...] = ("head",)
    runs: int = 5
    folds: int = 1
    shift: float = 0.0

    @property
    def conditions(self) -> list[tuple[str, ...]]:
        """Levels of the factors, all combinations."""
        return list(product("ab", repeat=len(self.factors)))

    @property
    def corpora(self) -> np.ndarray:
        """Corpus of every speaker."""
        return np.repeat(np.arange(len(self.speakers)), self.speakers)


def simulate_answers(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """Answers right (1) or wrong (0) of every condition, run, speaker and clip [C, R, S, CLIPS]."""
    conditions, corpora = setting.conditions, setting.corpora
    count, speakers = len(conditions), len(corpora)
    logit = BASE + rng.normal(0, SPEAKER_SD, (1, 1, speakers, 1)) + rng.normal(0, UTTERANCE_SD, (1, 1, speakers, CLIPS))
    for names in list_subsets(setting.factors):
        columns = [setting.factors.index(name) for name in names]
        group = pd.factorize(pd.Series(["".join(levels[place] for place in columns) for levels in conditions]))[0]
        logit = logit + rng.normal(0, setting.reaction, (count, 1, speakers, 1))[group]
    logit = logit + rng.normal(0, setting.run, (count, setting.runs, 1, 1))
    fold = np.arange(speakers) % setting.folds
    logit = logit + rng.normal(0, setting.by_fold, (count, setting.runs, setting.folds, 1))[:, :, fold]
    logit = logit + rng.normal(0, setting.by_corpus, (count, setting.runs, len(setting.speakers), 1))[:, :, corpora]
    better = np.array([levels[0] == "b" for levels in conditions])
    logit = logit + setting.shift * better[:, None, None, None]
    return (rng.random(logit.shape) < 1 / (1 + np.exp(-logit))).astype(int)


def list_subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """All combinations of one or more names."""
    return list(chain.from_iterable(combinations(names, size + 1) for size in range(len(names))))


def make_source(setting: Setting, answers: np.ndarray) -> Source:
    """The sweep as it would be read from its folder: one job a condition and seed, with its predictions."""
    jobs = []
    for number, (place, run) in enumerate(product(range(len(answers)), range(setting.runs))):
        values = dict(zip(setting.factors, setting.conditions[place], strict=True)) | {"seed": str(run)}
        several = len(setting.speakers) > 1
        corpora = [f"corpus{one}" for one in range(len(setting.speakers))]
        config = {"data.test": f"[{','.join(corpora)}]"} if several else {"dataset.name": "corpus0"}
        share = answers[place, run].mean(1)
        labels = [f"test/{name}" for name in corpora] if several else ["test"]
        metrics = {f"{label}/uar": share[setting.corpora == own].mean() for own, label in enumerate(labels)}
        jobs.append(
            Job(
                number, "finished", run_id=f"{place}-{run}", values=values, config=config, metrics=metrics,
                load=partial(tabulate_answers, setting, answers[place, run], labels),
            )
        )  # fmt: skip
    return Source("simulated", tuple(jobs), (*setting.factors, "seed"))


def tabulate_answers(setting: Setting, answers: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Predictions of one run from its answers [S, CLIPS], as in ``predictions.parquet``."""
    speaker, clip = np.divmod(np.arange(answers.size), CLIPS)
    true = clip % len(EMOTIONS)
    return pd.DataFrame(
        {
            "evaluation": np.array(labels)[setting.corpora[speaker]],
            "clip": [f"{one}-{other}" for one, other in zip(speaker, clip, strict=True)],
            "speaker": speaker.astype(str),
            "fold": (speaker % setting.folds).astype(str),
            "true": EMOTIONS[true],
            "predicted": EMOTIONS[(true + (answers.ravel() == 0)) % len(EMOTIONS)],
        }
    )


def find_difference(setting: Setting) -> float:
    """Difference in accuracy that a shift makes on average over speakers, utterances and runs."""
    spread = np.sqrt(SPEAKER_SD**2 + UTTERANCE_SD**2 + setting.run**2 + setting.reaction**2)
    z, weights = np.polynomial.hermite_e.hermegauss(40)
    low, high = (1 / (1 + np.exp(-(BASE + shift + spread * z))) @ weights for shift in (0.0, setting.shift))
    return float((high - low) / weights.sum())
