"""Folders of recordings."""

import numpy as np
import pytest
import soundfile
from augmentation_tools import RATE, make_noise


@pytest.fixture(scope="session")
def noise_folder(tmp_path_factory):
    """Noise at the rate of the clips and at another one, mono and stereo, WAV and FLAC, in folders."""
    folder = tmp_path_factory.mktemp("noise")
    (folder / "b").mkdir()
    soundfile.write(folder / "a.wav", make_noise(3, 1).numpy(), RATE)
    stereo = np.stack([make_noise(2, 2, rate=44100).numpy(), make_noise(2, 3, rate=44100).numpy()], axis=1)
    soundfile.write(folder / "b" / "stereo.flac", stereo, 44100)
    soundfile.write(folder / "b" / "short.wav", make_noise(0.3, 4, rate=8000).numpy(), 8000)
    (folder / "LICENSE.txt").write_text("not audio")
    return folder


@pytest.fixture(scope="session")
def room_folder(tmp_path_factory):
    """Two responses: direct sound at 40 ms, negative and soft, then an echo 50 ms later; one at another rate."""
    folder = tmp_path_factory.mktemp("rooms")
    for name, rate in (("near", RATE), ("far", 48000)):
        response = np.zeros(rate // 4)
        response[rate * 40 // 1000] = -0.2
        response[rate * 90 // 1000] = -0.1
        soundfile.write(folder / f"{name}.wav", response, rate, subtype="FLOAT")
    return folder
