import shutil

import numpy as np
import pytest
import soundfile
from augmentation_tools import RATE, change, make_voice, measure_f0

from ser.augmentation.noise import BackgroundNoise
from ser.augmentation.recordings import Reader, Recordings
from ser.augmentation.room import ImpulseResponse
from ser.errors import InputError


@pytest.mark.parametrize("transform", [BackgroundNoise, ImpulseResponse])
def test_folders_that_cannot_serve_are_named(transform, tmp_path):
    with pytest.raises(InputError, match="not set"):
        transform()
    with pytest.raises(InputError, match="nowhere: no such folder"):
        transform(str(tmp_path / "nowhere"))
    (tmp_path / "notes.txt").write_text("no audio")
    with pytest.raises(InputError, match="no audio files"):
        transform(str(tmp_path))


def test_files_that_cannot_be_read_are_named_at_once(tmp_path, write_tone):
    write_tone(tmp_path / "good.wav")
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "empty.flac").touch()
    with pytest.raises(InputError, match="2 of 3 noise recordings cannot be read") as error:
        BackgroundNoise(str(tmp_path))
    assert "text.wav" in str(error.value) and "empty.flac" in str(error.value)


def test_bad_content_is_named_when_it_is_read(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan), RATE, subtype="FLOAT")
    with pytest.raises(InputError, match=r"nan\.wav: non-finite"):
        change(BackgroundNoise(str(tmp_path)), make_voice(0.05))
    (tmp_path / "nan.wav").unlink()
    soundfile.write(tmp_path / "silent.wav", np.zeros(1000), RATE)
    with pytest.raises(InputError, match=r"silent\.wav: silent"):
        change(ImpulseResponse(str(tmp_path)), make_voice(0.05))


def test_digital_silence_adds_nothing(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    clip = make_voice(0.2)
    assert (change(BackgroundNoise(str(tmp_path)), clip) == clip).all()


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_recordings_of_any_rate_are_resampled(tmp_path, write_tone, rate, channels):
    path = write_tone(tmp_path / "tone.wav", 200, 1.0, rate, channels)
    reader = Reader(RATE)
    assert reader.get_num_samples(path) == RATE
    whole = reader(path)
    assert whole.shape == (1, RATE) and measure_f0(whole[0], 200) == pytest.approx(200, abs=1)
    for offset in (0, 1, 777, RATE - 4001):
        part = reader(path, offset, 4001)
        assert part.shape == (1, 4001)
        expected = whole[0, offset : offset + 4001]
        # A sample of the file, at 8 kHz, is two of these: the tone may begin one sample off, which is 0.024.
        assert float((part[0] - expected)[200:-200].abs().max()) < 0.025


def test_identity_follows_the_content_of_the_folder_not_its_place(noise_folder, tmp_path, write_tone):
    shutil.copytree(noise_folder, tmp_path / "copy")
    here, there = (Recordings(folder, "noise").fingerprint for folder in (noise_folder, tmp_path / "copy"))
    assert here == there
    write_tone(tmp_path / "copy" / "more.wav")
    assert Recordings(tmp_path / "copy", "noise").fingerprint != here


def test_hidden_files_are_left_alone(tmp_path, write_tone):
    write_tone(tmp_path / "a.WAV", format="WAV")
    (tmp_path / "._a.wav").write_text("what macOS leaves behind")
    assert [path.name for path in Recordings(tmp_path, "noise").paths] == ["a.WAV"]
