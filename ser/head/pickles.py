"""Saving fitted scikit-learn pipelines so that reading one back cannot run foreign code.

skops does the same for more types, but importing it imports torch, which a run on scikit-learn must not pay for.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from ser.errors import InputError

#: Packages whose classes may appear in a model file.
PACKAGES = ("sklearn", "numpy", "scipy", "builtins", "collections")
#: Functions that rebuild arrays, random states and trees; every other function is refused.
REBUILDERS = {
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pickle", "__generator_ctor"),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("sklearn.neighbors._ball_tree", "newObj"),
    ("sklearn.neighbors._kd_tree", "newObj"),
}
#: Builtins that are plain data; the others (``eval``, ``getattr``, …) are refused.
PLAIN = {
    "bool",
    "bytes",
    "bytearray",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "set",
    "slice",
    "str",
    "tuple",
}


def save_pickle(thing: Any, path: Path) -> None:
    """Write an object of the packages above."""
    with path.open("wb") as file:
        pickle.dump(thing, file, protocol=5)


def load_pickle(path: Path) -> Any:
    """Read what :func:`save_pickle` wrote.

    Raises:
        InputError: no such file, or one that asks for anything but classes of the packages above.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such model", expected="a run directory with its checkpoints")
    with path.open("rb") as file:
        return _Reader(file, path).load()


class _Reader(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        """The class or rebuilder that the file names, if it may name it."""
        if (module, name) in REBUILDERS:
            return super().find_class(module, name)
        package = module.partition(".")[0]
        if package in PACKAGES and (package != "builtins" or name in PLAIN):
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise InputError(
            f"{self.path}: asks for {module}.{name}, which no fitted estimator needs",
            expected="a model file as ser writes it",
            remedy="do not load model files from people you do not trust; train the run again",
        )
