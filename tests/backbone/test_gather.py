"""What a run takes its clips from: features of frozen backbones of either kind, as heads see them, and of copies."""

from types import SimpleNamespace

import numpy as np
import pytest
from frames_tools import DEPTH, DIM, Tiny, compute_alone, make_clips
from omegaconf import OmegaConf

from ser.audio.prepare import Preparation
from ser.augmentation.compose import Union
from ser.augmentation.copies import Copies
from ser.augmentation.loudness import Loudness
from ser.augmentation.stretch import Tempo
from ser.backbone.noise import Noise
from ser.gather import gather_clips, gather_copies
from ser.head.reading import Reading
from ser.head.trunk import Trunk

AUGMENTATION = Union([Loudness(-30.0), Tempo(0.8, 0.8)])


@pytest.fixture
def frame(tmp_path, write_tone):
    paths = [write_tone(tmp_path / "wav" / f"{i}.wav", 200 + 10 * i, 0.05 + 0.02 * i) for i in range(6)]
    return make_clips(paths)


@pytest.fixture
def waves(frame):
    return [Preparation().read(path, 16000) for path in frame["path"]]


@pytest.fixture
def corpus(frame):
    return SimpleNamespace(preparation=Preparation(), dimensions=(), as_trained=lambda: frame)


@pytest.fixture
def config(tmp_path):
    return OmegaConf.create(
        {
            "paths": {"cache": str(tmp_path / "cache")},
            "trainer": {"accelerator": "cpu"},
            "augmentation": {"copies": 2},
            "seed": 5,
        }
    )


def choose(backbone, augmentation=None, **reading):
    layer = getattr(backbone, "layer", -1)
    return SimpleNamespace(trunk=Trunk(backbone, reading=Reading(layer, **reading)), augmentation=augmentation)


def pool(layer):
    """Any pooling that is trained."""


def test_a_trained_backbone_reads_audio(config, corpus, frame):
    choices = SimpleNamespace(trunk=Trunk(Tiny(), SimpleNamespace(trains=True)), augmentation=AUGMENTATION)
    assert gather_clips(config, choices, corpus, frame).features is None
    assert gather_copies(config, choices, corpus, SimpleNamespace(train=np.arange(3))) == []


def test_functionals(config, corpus, frame, waves):
    part = gather_clips(config, choose(Noise(dim=4)), corpus, frame)
    np.testing.assert_array_equal(part.features, [Noise(dim=4).compute(wave) for wave in waves])


@pytest.mark.parametrize("layer", [-1, 0])
def test_one_layer_pooled(config, corpus, frame, waves, layer):
    part = gather_clips(config, choose(Tiny(layer), statistics=["mean", "max"]), corpus, frame)
    alone = [compute_alone(wave)[:, layer] for wave in waves]
    expected = [np.concatenate([hidden.mean(0), hidden.max(0)]) for hidden in alone]
    np.testing.assert_allclose(part.features, expected, atol=1e-5)


@pytest.mark.parametrize("mix", ["after", "before"])
def test_all_layers_pooled_where_a_mean_makes_the_order_of_no_account(config, corpus, frame, waves, mix):
    part = gather_clips(config, choose(Tiny("mix"), mix=mix), corpus, frame)
    assert part.features.shape == (6, DEPTH, DIM)
    np.testing.assert_allclose(part.features, [compute_alone(wave).mean(0) for wave in waves], atol=1e-5)


def test_all_layers_where_the_mix_comes_before_a_maximum(config, corpus, frame, waves):
    part = gather_clips(config, choose(Tiny("mix"), statistics=["max"], mix="before"), corpus, frame)
    for frames, wave in zip(part.features, waves, strict=True):
        np.testing.assert_allclose(frames, compute_alone(wave), atol=1e-5)


def test_frames_for_a_pooling_that_is_trained(config, corpus, frame, waves):
    part = gather_clips(config, choose(Tiny(1), statistics=[], network=pool), corpus, frame)
    for frames, wave in zip(part.features, waves, strict=True):
        np.testing.assert_allclose(frames, compute_alone(wave)[:, 1], atol=1e-5)


def list_copies(waves):
    """Waveforms of all copies, variant by variant."""
    both = [Copies(AUGMENTATION, 16000, seed=5, copy=copy) for copy in range(2)]
    return [[copies.vary(wave)[variant] for wave in waves] for copies in both for variant in range(2)]


@pytest.mark.parametrize(
    ("choices", "compute"),
    [
        (choose(Noise(dim=4), AUGMENTATION), Noise(dim=4).compute),
        (choose(Tiny(1), AUGMENTATION), lambda wave: compute_alone(wave)[:, 1].mean(0)),
        (choose(Tiny("mix"), AUGMENTATION), lambda wave: compute_alone(wave).mean(0)),
        (choose(Tiny("mix"), AUGMENTATION, statistics=[], network=pool), compute_alone),
    ],
    ids=["functionals", "layer", "layers", "frames"],
)
def test_copies_are_parts_of_their_own(config, corpus, waves, choices, compute):
    rows = np.array([0, 2, 5])
    parts = gather_copies(config, choices, corpus, SimpleNamespace(train=rows))
    assert len(parts) == 4, "two copies of two variants"
    for part, copies in zip(parts, list_copies(waves), strict=True):
        assert len(part) == len(waves)
        for row, (features, wave) in enumerate(zip(part.features, copies, strict=True)):
            if row in rows:
                np.testing.assert_allclose(features, compute(wave), atol=1e-5)
            else:
                assert features is None or np.isnan(features).all()
