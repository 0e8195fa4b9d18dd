"""Saving fitted scikit-learn pipelines so that reading one back cannot run foreign code.

skops does the same for more types, but importing it imports torch, which a run on scikit-learn must not pay for.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from ser.errors import InputError

#: What may appear in a model file beside scikit-learn's estimators: plain data, and what rebuilds arrays, random
#: states, trees and distances. Whatever is not listed is refused.
ALLOWED = {
    *(("builtins", name) for name in ("bytearray", "complex", "frozenset", "range", "set", "slice")),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.random._mt19937", "MT19937"),
    ("numpy.random._pcg64", "PCG64"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pickle", "__generator_ctor"),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("sklearn.metrics._dist_metrics", "newObj"),
    ("sklearn.neighbors._ball_tree", "newObj"),
    ("sklearn.neighbors._kd_tree", "newObj"),
}
#: Compiled modules of scikit-learn that hold nothing but such parts of estimators.
PARTS = (
    "sklearn.metrics._dist_metrics",
    "sklearn.neighbors._ball_tree",
    "sklearn.neighbors._kd_tree",
    "sklearn.tree._tree",
)


def save_pickle(thing: Any, path: Path) -> None:
    """Write a fitted estimator or pipeline of scikit-learn."""
    with path.open("wb") as file:
        pickle.dump(thing, file, protocol=5)


def load_pickle(path: Path) -> Any:
    """Read what :func:`save_pickle` wrote.

    Raises:
        InputError: no such file, a damaged one, or one that asks for anything but scikit-learn's estimators.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such model", expected="a run directory with its checkpoints")
    try:
        with path.open("rb") as file:
            return _Reader(file, path).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"{path}: cannot be read as a model ({error})",
            expected="a model file as ser writes it",
            remedy="train again",
        ) from error


class _Reader(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        """The class or rebuilder that the file names, if it may name it."""
        # A dotted name would be followed into whatever the module has imported.
        if "." not in name:
            if (module, name) in ALLOWED:
                return super().find_class(module, name)
            if module.startswith("sklearn."):
                found = super().find_class(module, name)
                if _is_estimator_part(found, module):
                    return found
        raise InputError(
            f"{self.path}: asks for {module}.{name}, which no fitted estimator needs",
            expected="a model file as ser writes it",
            remedy="do not load model files from people you do not trust; train the run again",
        )


def _is_estimator_part(found: Any, module: str) -> bool:
    from sklearn.base import BaseEstimator

    own = isinstance(found, type) and found.__module__ == module
    return own and (module in PARTS or issubclass(found, BaseEstimator))
