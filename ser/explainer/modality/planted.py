"""Contributions of modalities beside those that are planted (track C), in clips that the model recognises.

*Data truth* is what the rule says. *Model truth* is what word and cue cause in this very model: the clip is spoken
again without and with the cue, and written with the one and the other word, all else alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser.audio.prepare import Preparation
from ser.dataset.planted.modality_plan import RULES, speak_states
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.word import respell
from ser.explainer.modality.game import MODALITIES, Game
from ser.explainer.modality.intervals import estimate, find_ratio
from ser.explainer.modality.material import Material
from ser.explainer.modality.table import Array, Rows

#: What text adds alone, what audio does, what both do together: planted, and found.
TRUTH = ("planted_text", "planted_audio", "planted_both")
FOUND = ("text_alone", "audio_alone", "together")
KEPT = (*TRUTH, "word_state", "word_index", "present", "span_start", "span_end")
#: What tells a clip from others, and folds that tested it.
KEYS = ("dataset", "clip", "fold")
#: A share that is none.
LEAST = 1e-9


def is_track_c(rows: pd.DataFrame) -> bool:
    """Whether clips have known contributions of modalities."""
    return set(TRUTH) <= set(rows) and bool(rows[list(TRUTH)].notna().all().all())


def describe_planted(material: Material) -> pd.DataFrame:
    """Columns of the clips that scoring needs: the truth, and what becomes of the margin if the word alone is swapped.

    ``swapped`` is the margin lost by the other word in the same sentence; ``other`` is the share of the texts drawn for
    the clip that have that word.
    """
    rows, count = material.rows, np.arange(len(material.rows))
    texts = [
        respell(text, int(place), 1 - int(state))
        for text, place, state in zip(material.texts, rows["word_index"], rows["word_state"], strict=True)
    ]
    swapped = material.ask(material.audio, count, material.model.encode_texts(texts), count, material.classes)
    own = material.ask(material.audio, count, material.text, count, material.classes)
    states = rows["word_state"].to_numpy()
    other = (states[material.text_draws] != states[:, None]).mean(1)
    return rows[[name for name in KEPT if name in rows]].assign(swapped=own - swapped, other=other)


def play_states(material: Material, preparation: Preparation) -> Game:
    """The game of clips in which nothing is drawn but the states of word and cue: what they cause in the model."""
    rows = material.rows
    rule, scripts = RULES[str(rows["rule"].iloc[0])], list_rows(rows)
    spoken = [wave for row in scripts for wave in speak_states(row)]
    heard = [preparation.process(wave[:, None], RATE, material.rate).waveform for wave in spoken]
    places = zip(material.texts, rows["word_index"], strict=True)
    written = [respell(text, int(place), state) for text, place in places for state in (0, 1)]
    audio, text = material.model.encode_audio(heard), material.model.encode_texts(written)
    numbers = np.arange(len(rows))

    def ask(word: Rows | int, voice: Rows | int) -> Array:
        return material.ask(audio, 2 * numbers + voice, text, 2 * numbers + word, material.classes)

    word, voice = rows["word_state"].to_numpy(np.int64), rows["present"].to_numpy(np.int64)
    words, voices = zip(*rule.states, strict=True)
    return Game(
        none=np.mean([ask(other, another) for other in words for another in voices], axis=0),
        text=np.mean([ask(word, another) for another in voices], axis=0),
        audio=np.mean([ask(other, voice) for other in words], axis=0),
        both=ask(word, voice),
    )


def list_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings."""
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def describe_caused(material: Material, game: Game) -> pd.DataFrame:
    """What word and cue cause in the model (:func:`play_states`), a row a clip, to be held beside what was found."""
    values = {"text_alone": game.alone["text"], "audio_alone": game.alone["audio"], "together": game.together}
    named = {f"model_{name}": values[name] for name in FOUND}
    return material.rows[list(KEYS)].assign(**named, model_total=game.total)


# ---- scores


@dataclass(frozen=True)
class Beside:
    """Contributions found beside true ones.

    Attributes:
        cells: a row a group of clips with the same truth.
        metrics: mean absolute errors and the like, with ends of intervals.
    """

    cells: pd.DataFrame
    metrics: dict[str, float]


def compare(clips: pd.DataFrame, draws: int, model: pd.DataFrame) -> Beside:
    """Errors of shares in clips that are recognised; none where the model recognises nothing.

    Shares are those of all clips together that have the same truth: single clips may have next to nothing to share.

    Args:
        clips: of the run, with :func:`describe_planted`.
        draws: resamples of speakers.
        model: ``model_…`` of :data:`FOUND` and of the total of clips: what word and cue cause in the model.
    """
    right = clips[(clips["true"] == clips["emotion"]) & (clips["true"] == clips["predicted"])]
    if right.empty:
        return Beside(pd.DataFrame(), {"planted/clips": 0.0})
    planted, cells = np.unique(right[list(TRUTH)].to_numpy(float).round(6), axis=0, return_inverse=True)
    found = find_shares(sum_cells(right[[*FOUND, "total"]].to_numpy(float), cells))
    table = pd.DataFrame(
        {
            "emotions": [", ".join(sorted(set(right["true"][cells == cell]))) for cell in range(len(planted))],
            "clips": np.bincount(cells),
            **dict(zip(TRUTH, planted.T, strict=True)),
            **{f"found_{name}": column for name, column in zip(FOUND, found.T, strict=True)},
        }
    )
    metrics = {"planted/clips": float(len(right)), **measure_errors(right, planted, cells, draws)}
    return Beside(table, metrics | find_swap(right, draws) | compare_model(right.assign(cell=cells), model))


def sum_cells(values: Array, cells: Rows) -> Array:
    """Sums [C, ...] of values of clips [N, ...] over the clips of each cell [N]."""
    sums = np.zeros((cells.max() + 1, *values.shape[1:]))
    np.add.at(sums, cells, values)
    return sums


def find_shares(sums: Array) -> Array:
    """Shares [..., 3] of sums of contributions and their total [..., 4]; NaN where there is nothing to share."""
    total = sums[..., 3:4]
    return np.divide(sums[..., :3], total, out=np.full(sums[..., :3].shape, np.nan), where=total != 0)


def halve(shares: Array) -> Array:
    """Shapley values [..., 2] of what modalities add alone and together [..., 3]."""
    return shares[..., :2] + shares[..., 2:] / 2


def measure_errors(clips: pd.DataFrame, planted: Array, cells: Rows, draws: int) -> dict[str, float]:
    """Mean absolute errors, over clips, of what modalities add alone, of both together, and of Shapley values.

    Args:
        clips: recognised ones [N].
        planted: true shares of each cell [C, 3].
        cells: of the clips [N].
        draws: resamples of speakers.
    """
    values = np.zeros((len(cells), len(planted), 5))
    values[np.arange(len(cells)), cells] = clips[[*FOUND, "total"]].assign(one=1.0).to_numpy(float)

    def average(errors: Array, counts: Array) -> Array:
        return np.asarray(np.nansum(errors * counts, -1) / counts.sum(-1))

    def miss(sums: Array) -> Array:
        return np.abs(find_shares(sums[..., :4]) - planted)

    statistics: Mapping[str, Callable[[Array], Array]] = {
        "mod_mae": lambda sums: average(miss(sums)[..., :2].mean(-1), sums[..., 4]),
        "int_mae": lambda sums: average(miss(sums)[..., 2], sums[..., 4]),
        "shapley_mae": lambda sums: average(
            np.abs(halve(find_shares(sums[..., :4])) - halve(planted)).mean(-1), sums[..., 4]
        ),
    }
    metrics: dict[str, float] = {}
    for name, statistic in statistics.items():
        metrics |= estimate(values, clips["person"], statistic, draws).name(f"planted/{name}")
    return metrics


def compare_model(clips: pd.DataFrame, model: pd.DataFrame) -> dict[str, float]:
    """Mean absolute error of the three shares against those that word and cue cause in the model, in the same clips."""
    if model.empty or (joined := clips.merge(model, on=list(KEYS))).empty:
        return {}
    cells = joined["cell"].to_numpy()
    found = find_shares(sum_cells(joined[[*FOUND, "total"]].to_numpy(float), cells))
    caused = find_shares(sum_cells(joined[[f"model_{name}" for name in (*FOUND, "total")]].to_numpy(float), cells))
    errors = np.abs(found - caused).mean(-1)
    return {
        "planted/model_mae": float(np.average(errors[np.unique(cells)], weights=np.bincount(cells)[np.unique(cells)]))
    }


def find_swap(clips: pd.DataFrame, draws: int) -> dict[str, float]:
    """Does the margin change as contributions foretell when nothing but the word is replaced?

    ``swap_gap`` is the mean difference in units of the mean total, 0 at best; ``swap_r`` goes from clip to clip.
    """
    foretold = clips["text_alone"] + clips["together"]
    measured = clips["swapped"] * clips["other"]
    gap = find_ratio((foretold - measured).abs(), clips["total"].abs(), clips["person"], draws)
    found = gap.name("planted/swap_gap")
    if min(foretold.std(), measured.std()) > 1e-9:
        found["planted/swap_r"] = float(np.corrcoef(foretold, measured)[0, 1])
    return found


def point(parts: pd.DataFrame, clips: pd.DataFrame) -> dict[str, float]:
    """How often the part with the largest value is the word, or the stretch with the cue; and by chance.

    A word counts where text contributes by the rule, the cue where audio does and the cue is there.
    """
    if parts.empty:
        return {}
    right = clips[clips["true"] == clips["predicted"]]
    rows = parts.drop(columns=["speaker", "emotion"]).merge(right, on=list(KEYS))
    rows["size"] = rows["value"].abs()
    groups = rows.groupby([*KEYS, "modality"])
    best = rows.loc[groups["size"].idxmax()].assign(chance=1 / groups["size"].size().to_numpy())
    found: dict[str, float] = {}
    for name in MODALITIES:
        own = best[(best["modality"] == name) & (best["chance"] < 1)]
        own = own[(own[f"planted_{name}"] + own["planted_both"] / 2).abs() > LEAST]
        if name == "audio":
            own = own[own["span_start"].notna()] if "span_start" in own else own.iloc[:0]
            middle = (own["span_start"] + own["span_end"]) / 2 if len(own) else own["value"]
            hits = (own["start"] <= middle) & (middle <= own["end"])
        else:
            hits = own["part"] == own["word_index"]
        if len(own):
            found |= {
                f"planted/point_{name}": float(hits.mean()),
                f"planted/point_{name}_chance": float(own["chance"].mean()),
            }
    return found
