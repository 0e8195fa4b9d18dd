"""MFCC, chroma, mel and openSMILE's descriptors as frames: their values, and that padding never counts."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.backbone.base import is_trainable
from ser.backbone.descriptors import Descriptors
from ser.backbone.extract import fill_hidden
from ser.backbone.functionals import Functionals
from ser.backbone.sequence_network import make_chroma
from ser.backbone.sequences import PITCHES, Sequences
from ser.backbone.statistics import Statistics, read_vectors
from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError

RATE = 16000


def make_voice(f0=160.0, seconds=0.6, seed=0):
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.003, len(time))
    return (sum(0.2 / k * np.sin(2 * np.pi * k * f0 * time) for k in range(1, 12)) + noise).astype(np.float32)


def run(network, *waves, padding=0):
    lengths = torch.tensor([len(wave) for wave in waves])
    batch = torch.zeros(len(waves), int(lengths.max()) + padding)
    for row, wave in zip(batch, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    with torch.inference_mode():
        hidden, frames = network(batch, lengths)
    return [clip[:count].numpy() for clip, count in zip(hidden[0], frames, strict=True)]


sequence_network = Sequences().build()
descriptor_network = Descriptors().build()


@given(
    lengths=st.lists(st.integers(1, 9000), min_size=1, max_size=3), padding=st.sampled_from([0, 1, 3000]),
    data=st.data(),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_a_sequence_does_not_depend_on_its_batch(lengths, padding, data):
    waves = [make_voice(100 + 30 * index)[:length] for index, length in enumerate(lengths)]
    order = data.draw(st.permutations(range(len(waves))))
    together = run(sequence_network, *(waves[index] for index in order), padding=padding)
    for found, index in zip(together, order, strict=True):
        alone = run(sequence_network, waves[index])[0]
        assert alone.shape == (1 + len(waves[index]) // 512, 180)
        np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-4)


def test_what_lies_beyond_the_end_is_not_read():
    wave = make_voice()
    batch = torch.from_numpy(np.stack([wave, wave]))
    batch[1, 5000:] = 9.0
    with torch.inference_mode():
        hidden, frames = sequence_network(batch, torch.tensor([len(wave), 5000]))
    np.testing.assert_allclose(hidden[0][1, : frames[1]], run(sequence_network, wave[:5000])[0], rtol=1e-4, atol=1e-4)


def test_parts_can_be_left_out_and_are_named():
    whole = run(sequence_network, make_voice())[0]
    sizes = Sequences().part_sizes
    assert sizes == {"mfcc": 40, "chroma": 12, "mel": 128} and len(Sequences().names) == 180
    for parts, columns in ((["mfcc"], slice(0, 40)), (["chroma"], slice(40, 52)), (["mel"], slice(52, 180))):
        backbone = Sequences(parts)
        np.testing.assert_allclose(run(backbone.build(), make_voice())[0], whole[:, columns], rtol=1e-5, atol=1e-6)
    both = Sequences(["mel", "chroma"])
    assert both.names[0] == "mel_0" and both.names[128:] == [f"chroma_{name}" for name in PITCHES]
    assert both.identify() != Sequences(["chroma", "mel"]).identify()


@pytest.mark.parametrize(("hertz", "name"), [(440.0, "A"), (261.63, "C"), (1108.73, "C#"), (739.99, "F#")])
def test_chroma_names_the_pitch_of_a_tone(hertz, name):
    time = np.arange(RATE) / RATE
    frames = run(Sequences(["chroma"]).build(), np.sin(2 * np.pi * hertz * time).astype(np.float32))[0]
    middle = frames[8:-8]
    assert {PITCHES[index] for index in middle.argmax(1)} == {name}
    np.testing.assert_allclose(middle.max(1), 1.0)


def test_every_bin_adds_to_a_pitch_class_by_its_distance():
    weights = make_chroma(RATE, 2048).double().numpy()
    assert weights.shape == (1025, 12)
    octaves = np.log2(np.arange(1, 1025) * RATE / 2048 / 27.5)
    np.testing.assert_allclose(np.linalg.norm(weights[1:], axis=1), np.exp(-0.5 * ((octaves - 5) / 2) ** 2), rtol=1e-5)
    hertz = np.arange(30, 1025) * RATE / 2048
    nearest = np.round(12 * np.log2(hertz / 440) + 9).astype(int) % 12
    assert (weights[30:].argmax(1) == nearest).mean() > 0.97  # at ties between two classes either may win


def test_cepstra_are_the_cosines_of_the_bands_in_decibels():
    frames = run(Sequences(["mfcc", "mel"]).build(), make_voice())[0].astype(np.float64)
    decibels = 10 * np.log10(np.maximum(frames[:, 40:], 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 80)
    place = np.arange(128) + 0.5
    cosines = np.cos(np.pi * np.arange(40)[:, None] * place / 128) * math.sqrt(2 / 128)
    cosines[0] /= math.sqrt(2)
    np.testing.assert_allclose(frames[:, :40], decibels @ cosines.T, atol=2e-2)


def test_silence_is_finite():
    assert np.isfinite(run(sequence_network, np.zeros(3000, dtype=np.float32))[0]).all()


@pytest.mark.parametrize(
    "options", [{"parts": []}, {"parts": ["mel", "mel"]}, {"parts": ["lpc"]}, {"mfcc": 200}, {"hop": 4096}]
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(InputError, match="backbone"):
        Sequences(**options)


def test_descriptors_do_not_depend_on_the_batch_and_have_names():
    waves = [make_voice(120), make_voice(220)[:7000]]
    together = run(descriptor_network, *waves, padding=500)
    for found, wave in zip(together, waves, strict=True):
        np.testing.assert_array_equal(found, run(descriptor_network, wave)[0])
    assert together[0].shape[1] == len(Descriptors().names) == 25
    pitch = Descriptors().names.index("F0semitoneFrom27.5Hz_sma3nz")
    voiced = together[0][:, pitch][together[0][:, pitch] > 0]
    assert abs(np.median(voiced) - 12 * math.log2(120 / 27.5)) < 0.5
    np.testing.assert_array_equal(run(copy.deepcopy(descriptor_network), waves[0])[0], together[0])


def test_descriptors_are_what_the_functionals_summarise():
    wave = make_voice(180, 1.0)
    names = Functionals().names
    loudness = run(descriptor_network, wave)[0][:, 0]
    mean = Functionals().compute(wave)[names.index("loudness_sma3_amean")]
    assert abs(loudness.mean() / mean - 1) < 0.05


def test_a_clip_that_is_too_short_is_named(tmp_path, write_tone):
    from frames_tools import hear, make_clips

    frame = make_clips([write_tone(tmp_path / "short.wav", 200.0, 0.01)])
    with pytest.raises(InputError, match=r"short.wav: too short"):
        fill_hidden(Descriptors(), hear(frame), tmp_path / "store", Statistics())


@pytest.mark.parametrize("backbone", [Sequences(), Descriptors()])
def test_nothing_in_them_is_trained(backbone):
    assert not is_trainable(backbone) and not list(backbone.build().parameters())
    choice = "sequences" if isinstance(backbone, Sequences) else "egemaps_lld"
    with pytest.raises(InputError, match=r"(?s)no weights to fine-tune.*finetune=frozen"):
        build_trunk(compose([f"backbone={choice}", "finetune=full"]))


def test_an_unknown_feature_set_is_refused():
    with pytest.raises(InputError, match=r"(?s)feature_set='eGeMAPSv9'.*eGeMAPSv02"):
        Descriptors("eGeMAPSv9").build()


def test_the_mean_is_the_published_vector(tmp_path, write_tone):
    from frames_tools import hear, make_clips

    frame = make_clips([write_tone(tmp_path / f"{hz}.wav", hz, 0.3) for hz in (200.0, 300.0)])
    store = fill_hidden(Sequences(), hear(frame), tmp_path / "store", Statistics())
    vectors = read_vectors(store, frame["digest"].tolist(), -1, ["mean"])
    assert vectors.shape == (2, 180)
    import soundfile

    wave = soundfile.read(frame["path"][0], dtype="float32")[0]
    np.testing.assert_allclose(vectors[0], run(sequence_network, wave)[0].mean(0), rtol=1e-4, atol=1e-4)
