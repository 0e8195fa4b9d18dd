import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.audio.inspect import drop_bad_clips, fingerprint, hash_waveform, inspect_clips, list_problems
from ser.audio.prepare import Preparation
from ser.dataset.manifest import Manifest
from ser.errors import InputError

RATE = 16000


def make_manifest(paths, **columns):
    frame = pd.DataFrame(
        {
            "clip": [path.stem for path in paths],
            "path": [str(path) for path in paths],
            "emotion": ["anger", "fear"] * (len(paths) // 2) + ["anger"] * (len(paths) % 2),
            "label": "x",
            "speaker": "s1",
        }
    )
    return Manifest("mine", frame.assign(**columns))


def inspect(manifest, preparation=None, rate=RATE):
    return inspect_clips(manifest.frame, preparation or Preparation(), rate)


@pytest.fixture
def tones(tmp_path, write_tone):
    return [write_tone(tmp_path / f"tone{index}.wav", 200 + 20 * index) for index in range(4)]


@pytest.fixture
def mixed(tmp_path, tones):
    """Two good clips among three bad ones, by name: good, bad, bad, bad, good."""
    tones[0].rename(tmp_path / "a.wav")
    tones[1].rename(tmp_path / "e.wav")
    (tmp_path / "b.wav").touch()
    soundfile.write(tmp_path / "d.wav", np.zeros(1600), RATE)
    return make_manifest([tmp_path / f"{name}.wav" for name in "abcde"])


def test_each_clip_in_order(tones):
    table = inspect(make_manifest(tones))
    assert table["clip"].tolist() == ["tone0", "tone1", "tone2", "tone3"]
    assert table["path"].tolist() == [str(path) for path in tones]
    assert table["samples"].tolist() == [1600] * 4 and (table["problem"] == "").all()
    assert table["digest"].nunique() == 4 and table["digest"].str.fullmatch("[0-9a-f]{32}").all()


def test_equal_content_has_equal_digests_whatever_name_and_format(tmp_path):
    samples = (9000 * np.sin(np.arange(1600) / 9)).astype(np.int16)
    paths = [tmp_path / name for name in ("a.wav", "b.flac", "c.aiff")]
    for path in paths:
        soundfile.write(path, samples, RATE)
    assert inspect(make_manifest(paths))["digest"].drop_duplicates().size == 1


def test_a_changed_file_has_another_digest_within_one_process(tones, write_tone):
    manifest = make_manifest(tones)
    before = inspect(manifest)
    write_tone(tones[2], 333.0)
    after = inspect(manifest)
    assert (before["digest"] != after["digest"]).tolist() == [False, False, True, False]


def test_a_removed_file_is_missed_within_one_process(tones):
    manifest = make_manifest(tones)
    assert (inspect(manifest)["problem"] == "").all()
    tones[1].unlink()
    assert inspect(manifest)["problem"].tolist() == ["", "no such file", "", ""]


def test_digest_depends_on_preparation_and_rate(tmp_path, write_tone):
    one, two = (0.3 * np.sin(np.arange(1600) * step) for step in (0.1, 0.2))
    soundfile.write(tmp_path / "two.wav", np.stack([one, two], axis=1), RATE)
    manifest = make_manifest([tmp_path / "two.wav"])
    digests = {
        inspect(manifest, Preparation(mono=mono), rate)["digest"][0]
        for mono in ("mean", "first")
        for rate in (RATE, 8000)
    }
    assert len(digests) == 4


def test_hash_covers_samples_and_rate():
    waveform = np.linspace(-1, 1, 100, dtype=np.float32)
    assert hash_waveform(waveform, 16000) == hash_waveform(waveform.copy(), 16000)
    assert hash_waveform(waveform, 16000) != hash_waveform(waveform, 8000)
    assert hash_waveform(waveform, 16000) != hash_waveform(waveform[:-1], 16000)


def test_cuts_of_one_file_are_clips_of_their_own(tones):
    manifest = make_manifest([tones[0]] * 2, clip=["one", "two"], start=[0, 0.03], end=[0.03, None])
    table = inspect(manifest)
    assert table["samples"].tolist() == [480, 1120] and table["digest"].nunique() == 2


def test_fail_lists_every_file_with_its_reason(mixed):
    with pytest.raises(InputError) as error:
        drop_bad_clips(mixed, inspect(mixed), "fail")
    message = str(error.value)
    assert "3 of 5 clips of mine cannot be used" in message and "on_bad_audio=skip" in message
    for name, reason in (("b.wav", "cannot be decoded"), ("c.wav", "no such file"), ("d.wav", "silent")):
        (line,) = [line for line in message.splitlines() if name in line.partition(":")[0]]
        assert reason in line
    assert "a.wav" not in message and "e.wav" not in message


def test_skip_keeps_the_others_in_order_with_a_note(mixed):
    manifest, clips = drop_bad_clips(mixed, inspect(mixed), "skip")
    assert manifest.frame["clip"].tolist() == clips["clip"].tolist() == ["a", "e"]
    assert clips.index.tolist() == [0, 1] and (clips["problem"] == "").all()
    (note,) = manifest.notes
    assert "3 unusable clips were skipped" in note and "c.wav: no such file" in note


def test_nothing_left_is_an_error_under_skip_too(tmp_path):
    manifest = make_manifest([tmp_path / "a.wav", tmp_path / "b.wav"])
    with pytest.raises(InputError, match=r"(?s)none of the 2 clips of mine can be used.*a.wav: no such file"):
        drop_bad_clips(manifest, inspect(manifest), "skip")


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_good_clips_pass_untouched(tones, policy):
    manifest = make_manifest(tones)
    clips = inspect(manifest)
    kept, usable = drop_bad_clips(manifest, clips, policy)
    assert kept is manifest and usable.equals(clips)


def test_long_lists_are_counted():
    bad = pd.DataFrame({"path": [f"clip{index:02d}.wav" for index in range(25)], "problem": "empty"})
    lines = list_problems(bad).splitlines()
    assert len(lines) == 21 and "clip19.wav: empty" in lines[19] and lines[20].strip() == "… and 5 more"


def test_fingerprint_covers_content_and_labels_but_not_the_place(tones):
    frame = make_manifest(tones).frame
    digests = ["1", "2", "3", "4"]
    same = fingerprint(frame, digests)
    assert fingerprint(frame.assign(path="elsewhere.wav"), digests) == same
    assert fingerprint(frame[frame.columns[::-1]], np.array(digests)) == same
    assert fingerprint(frame, ["1", "2", "3", "5"]) != same
    assert fingerprint(frame.assign(speaker=["s1", "s1", "s1", "s2"]), digests) != same
    assert fingerprint(frame.assign(emotion="anger"), digests) != same
