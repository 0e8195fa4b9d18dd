"""openSMILE functionals: eGeMAPSv02 (Eyben et al., 2016) and ComParE 2016 (Schuller et al., 2016)."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import numpy as np

from ser.errors import InputError


class Functionals:
    """One vector a clip from openSMILE's published feature sets.

    Args:
        feature_set: name in ``opensmile.FeatureSet``, e.g. ``eGeMAPSv02`` (88 functionals) or ``ComParE_2016`` (6,373).
        rate: sampling rate in Hz at which clips are read.

    Raises:
        InputError: a feature set that openSMILE does not have.
    """

    frames = False

    def __init__(self, feature_set: str = "eGeMAPSv02", rate: int = 16000) -> None:
        self.feature_set = feature_set
        self.rate = rate
        self._local = threading.local()  # an openSMILE object serves one thread at a time

    def identify(self) -> dict[str, object]:
        """Name, version and parameters."""
        from importlib.metadata import version

        return {
            "extractor": "opensmile",
            "version": version("opensmile"),
            "feature_set": self.feature_set,
            "level": "functionals",
            "rate": self.rate,
        }

    @cached_property
    def names(self) -> list[str]:
        """Names of the functionals, as openSMILE prints them."""
        return list(make_smile(self.feature_set, "Functionals").feature_names)

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Functionals [D] of a waveform [T] at :attr:`rate`."""
        if not hasattr(self._local, "smile"):
            self._local.smile = make_smile(self.feature_set, "Functionals")
        return self._local.smile.process_signal(waveform, self.rate).to_numpy(dtype=np.float32)[0]


def make_smile(feature_set: str, level: str) -> Any:
    """An openSMILE object.

    Args:
        feature_set: name in ``opensmile.FeatureSet``.
        level: name in ``opensmile.FeatureLevel``.

    Raises:
        InputError: a feature set that openSMILE does not have.
    """
    import opensmile  # half a second that a run on stored features does not pay

    sets = {item.name: item for item in opensmile.FeatureSet}
    if feature_set not in sets:
        raise InputError(f"backbone.feature_set={feature_set!r}: openSMILE has no such set", expected=", ".join(sets))
    return opensmile.Smile(feature_set=sets[feature_set], feature_level=opensmile.FeatureLevel[level])
