"""What is known of a model and a set of clips before any explainer is judged; it can be kept on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.evaluation.probe import Known

#: Columns of scores, in their order.
COLUMNS = ("clip", "dataset", "speaker", "true", "predicted", "correct", "method", "metric", "value")
#: Those that are no text.
NUMBERS = ("correct", "value")


@dataclass(frozen=True, eq=False)
class Reference:
    """Of one model and its clips.

    Attributes:
        known: margins of each clip, its fills and the bank of masks.
        maps: null explainers' and the oracle's, on the cells of each clip [count]: by method, by clip.
        scores: of those maps, in the columns of all scores.
        forwards: clips that the model heard for it.
    """

    known: Mapping[str, Known]
    maps: Mapping[str, Mapping[str, np.ndarray]]
    scores: pd.DataFrame
    forwards: int

    def find(self, clip: str) -> Known:
        """What is known of a clip.

        Raises:
            InputError: nothing.
        """
        if clip not in self.known:
            raise InputError(f"clip {clip} was not part of the reference", remedy="prepare it anew for these clips")
        return self.known[clip]

    def save(self, path: Path | str) -> None:
        """Write it as one compressed npz file, whole or not at all."""
        path = Path(path)
        arrays: dict[str, np.ndarray] = {"forwards": np.array(self.forwards)}
        for name, known in self.known.items():
            arrays[f"known|{name}|whole"] = np.array(known.whole)
            arrays[f"known|{name}|keep"] = known.keep
            arrays[f"known|{name}|best"] = known.best
            arrays |= {f"empty|{name}|{fill}": np.array(value) for fill, value in known.empty.items()}
            arrays |= {f"bank|{name}|{fill}": values for fill, values in known.margins.items()}
        for method, maps in self.maps.items():
            arrays |= {f"map|{name}|{method}": values for name, values in maps.items()}
        for column in COLUMNS:
            values = self.scores[column]
            arrays[f"score|{column}"] = values.to_numpy() if column in NUMBERS else values.to_numpy(str)
        temporary = path.with_name(path.name + ".tmp.npz")
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path | str) -> Reference:
        """What :meth:`save` wrote."""
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        by_kind: dict[str, dict[str, dict[str, np.ndarray]]] = {}
        for name, values in arrays.items():
            kind, _, rest = name.partition("|")
            first, _, last = rest.rpartition("|")
            by_kind.setdefault(kind, {}).setdefault(first, {})[last] = values
        known = {
            clip: _join(parts, by_kind.get("empty", {}).get(clip, {}), by_kind.get("bank", {}).get(clip, {}))
            for clip, parts in by_kind["known"].items()
        }
        maps: dict[str, dict[str, np.ndarray]] = {}
        for clip, parts in by_kind.get("map", {}).items():
            for method, values in parts.items():
                maps.setdefault(method, {})[clip] = values
        scores = pd.DataFrame({column: arrays[f"score|{column}"] for column in COLUMNS})
        return cls(known, maps, scores, int(arrays["forwards"]))


def _join(parts: Mapping[str, np.ndarray], empty: Mapping[str, np.ndarray], margins: Mapping[str, np.ndarray]) -> Known:
    whole, nothing = float(parts["whole"]), {fill: float(value) for fill, value in empty.items()}
    return Known(whole, nothing, parts["keep"], margins, parts["best"])
