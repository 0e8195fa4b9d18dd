"""Layer and pooling of a run: what is refused, and that stored features are read as a network's frames are."""

import numpy as np
import pytest
import torch

from ser.audio.prepare import Preparation
from ser.backbone.statistics import KEPT, combine
from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.finetune.full import Full
from ser.head.data import Part, find_frame_spread
from ser.head.emotion_network import Shape
from ser.head.network import NetworkHead
from ser.head.pooling import AttentionPooling, StatisticsPooling
from ser.head.reader import FrameReader
from ser.head.reading import STATISTICS, Reading
from ser.head.trunk import Trunk


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "all"}, r"(?s)backbone.layer=all.*or mix"),
        ({"layer": True}, r"backbone.layer=True"),
        ({"layer": 1.5}, r"backbone.layer=1.5"),
        ({"mix": "between"}, r"(?s)pooling.mix=between.*after or before"),
        ({"statistics": ["median"]}, r"(?s)statistics=\['median'\].*mean_plus_max"),
        ({"statistics": []}, r"none of them and pooling.network"),
        ({"statistics": ["mean"], "network": AttentionPooling}, r"none of them and pooling.network"),
    ],
)
def test_what_cannot_be_read_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Reading(**options)


@pytest.mark.parametrize("layer", [4, -5, 99])
def test_a_layer_that_is_not_there_is_refused(layer):
    with pytest.raises(InputError, match=rf"(?s)backbone.layer={layer}.*-4 to 3, or mix"):
        Reading(layer=layer).build(8, 4)


def test_functionals_have_no_frames_to_pool():
    with pytest.raises(InputError, match=r"no frames to pool"):
        build_trunk(compose(["backbone=egemaps", "pooling=ecapa"]))
    build_trunk(compose(["backbone=egemaps"])).check()


@pytest.mark.parametrize(
    ("options", "frames", "learns"),
    [
        ({}, False, False),
        ({"statistics": ("max", "std")}, False, False),
        ({"layer": "mix"}, False, True),
        ({"layer": "mix", "mix": "before"}, False, True),  # the mean of a mix is the mix of the means
        ({"layer": "mix", "mix": "before", "statistics": ("std",)}, True, True),
        ({"layer": 2, "mix": "before", "statistics": ("std",)}, False, False),
        ({"statistics": (), "network": AttentionPooling}, True, True),
    ],
)
def test_what_the_store_must_keep(options, frames, learns):
    reading = Reading(**options)
    assert (reading.needs_frames, reading.learns) == (frames, learns)


def test_the_names_of_statistics_are_the_same_everywhere():
    from ser.head.pooling import STATISTICS as computed

    assert set(STATISTICS) == set(computed)
    kept = np.random.default_rng(0).random((len(KEPT), 3))
    assert combine(kept, STATISTICS).shape == (3 * len(STATISTICS),)


def make_hidden(seed=0, lengths=(5, 3)):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(len(lengths), max(lengths), 4, generator=draw) for _ in range(3)], torch.tensor(lengths)


def test_mixing_before_and_after_pooling():
    hidden, lengths = make_hidden()
    for statistics, same in ((("mean",), True), (("sum",), True), (("std",), False), (("max",), False)):
        found = []
        for mix in ("before", "after"):
            reader = Reading("mix", statistics, mix=mix).build(4, 3)
            with torch.no_grad():
                reader.mix.scores.copy_(torch.tensor([0.3, -1.0, 2.0]))
            found.append(reader(hidden, lengths).detach())
        assert torch.allclose(*found, atol=1e-5) == same, statistics
    before = FrameReader("mix", 3, StatisticsPooling(["std"]), 4, mix_first=True)
    mixed = torch.stack(hidden, 0).mean(0)
    expected = mixed[1, :3].std(0, correction=0)
    torch.testing.assert_close(before(hidden, lengths)[1], expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def clips(tmp_path, build_frame, write_tone):
    lengths = [0.2 + 0.03 * index for index in range(6)]
    paths = [write_tone(tmp_path / f"{n}.wav", 150 * (1 + n % 3), seconds) for n, seconds in enumerate(lengths)]
    samples = np.array([round(16000 * seconds) for seconds in lengths])
    return Part(build_frame(2, takes=1, paths=paths), samples, None, Preparation())


READINGS = {
    "last": Reading(),
    "first": Reading(layer=0, statistics=("mean", "std")),
    "all statistics": Reading(layer=2, statistics=STATISTICS),
    "mix": Reading(layer="mix", statistics=("mean", "max")),
    "mix before": Reading(layer="mix", mix="before"),
    "mix before, of frames": Reading(layer="mix", mix="before", statistics=("max", "std")),
    "attention": Reading(statistics=(), network=AttentionPooling),
    "attention, mix": Reading(layer="mix", statistics=(), network=AttentionPooling),
}


@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize("choice", ["tiny_hubert", "tiny_whisper", "tiny_byol"])
def test_stored_features_give_the_logits_of_the_network_on_audio(choice, name, clips):
    reading, backbone = READINGS[name], build_trunk(compose([f"backbone={choice}"])).backbone
    if choice == "tiny_byol" and reading.layer not in ("mix", -1):
        reading = Reading(-1, reading.statistics, reading.network, reading.mix)
    features = extract(backbone.build().eval(), clips, reading)
    head = NetworkHead(hidden=[5], seed=2)
    torch.manual_seed(0)
    network = head.build(3, Shape("audio", ()), Trunk(backbone, Full(), reading)).eval()
    frozen = head.build(3, Shape.find(features), Trunk(backbone, reading=reading)).eval()
    own = {key: value for key, value in network.state_dict().items() if key.startswith("layers.")}
    own |= {
        key.replace("reader.", "reader.reader.") if Shape.find(features).features == "frames" else key: value
        for key, value in network.state_dict().items()
        if key.startswith("reader.")
    }
    with torch.no_grad():
        for value in own.values():
            value += 0.2 * torch.randn(value.shape)
    missing, unexpected = frozen.load_state_dict(own, strict=False)
    assert set(missing) <= {"mean", "scale"}
    assert not unexpected or network.backbone.depth == 1, "one layer is its own mix"
    stored = Part(clips.frame, clips.samples, features, clips.preparation)
    from ser.head.network import find_outputs

    np.testing.assert_allclose(find_outputs(frozen, stored, 3, 4), find_outputs(network, clips, 3, 4), atol=2e-4)


@torch.no_grad()
def extract(network, clips, reading):
    """What the feature store gives of clips, computed one by one."""
    found = []
    for index, length in enumerate(clips.samples):
        clip = clips.preparation.prepare(clips.frame["path"].iloc[index], 16000, None, None)
        hidden, frames = network(torch.from_numpy(clip.waveform)[None], torch.tensor([length]))
        layers = np.stack([layer[0, : int(frames[0])].numpy() for layer in hidden], axis=1)  # [F, L, D]
        if reading.needs_frames:
            found.append(layers if reading.layer == "mix" else layers[:, reading.layer])
            continue
        kept = np.stack([layers.mean(0), layers.std(0), layers.max(0), layers.sum(0)], axis=1)  # [L, S, D]
        pooled = combine(kept, reading.statistics)
        found.append(pooled if reading.layer == "mix" else pooled[reading.layer])
    if not reading.needs_frames:
        return np.stack(found).astype(np.float32)
    features = np.empty(len(found), dtype=object)
    features[:] = found
    return features


def test_frames_are_standardised_clip_by_clip():
    draw = np.random.default_rng(0)
    features = np.empty(5, dtype=object)
    features[:] = [1000 + draw.normal(0, 0.5, (draw.integers(1, 20), 3, 2)).astype(np.float32) for _ in range(5)]
    for clip in features:
        clip[:, 1, 1] = 7
    together = np.concatenate(list(features)).astype(np.float64)
    mean, deviation = find_frame_spread(features)
    np.testing.assert_allclose(mean, together.mean(0), rtol=1e-12)
    expected = together.std(0)
    expected[1, 1] = 1
    np.testing.assert_allclose(deviation, expected, rtol=1e-9)
