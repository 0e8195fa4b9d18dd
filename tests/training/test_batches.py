import itertools
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.audio.prepare import Preparation
from ser.errors import InputError
from ser.head.data import Part
from ser.training.batches import BatchOrder, make_loader
from ser.training.processes import Place

EMOTIONS = ("anger", "neutral", "sadness")
sizes = st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 20))


def list_batches(part, batch_size, seed=None, epoch=0):
    loader = make_loader(part, EMOTIONS, 0, batch_size, seed)
    if seed is not None:
        loader.batch_sampler.set_epoch(epoch)
    return [list(rows) for rows in loader.batch_sampler], loader


@given(size=sizes, seed=st.none() | st.integers(0, 99), epoch=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_clip_once_in_batches_of_nearly_equal_size(build_part, size, seed, epoch):
    speakers, takes, batch_size = size
    part = build_part(speakers, EMOTIONS, takes)
    batches, loader = list_batches(part, batch_size, seed, epoch)
    assert sorted(row for rows in batches for row in rows) == list(range(len(part)))
    lengths = [len(rows) for rows in batches]
    assert max(lengths) - min(lengths) <= 1 and len(loader) == len(batches)
    assert max(lengths) <= batch_size or (batch_size, max(lengths)) == (2, 3), "three together rather than one alone"
    assert min(lengths) > 1 or batch_size == 1


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize(("clips", "size", "count"), [(30, 8, 2), (31, 8, 2), (31, 3, 3), (7, 4, 4), (2, 2, 2)])
def test_processes_divide_every_batch(clips, size, count, seed):
    samples = np.random.default_rng(1).integers(100, 1000, clips)
    whole = BatchOrder(samples, size, seed)
    shares = [list(BatchOrder(samples, size, seed, Place(rank, count))) for rank in range(count)]
    assert {len(share) for share in shares} == {len(BatchOrder(samples, size, seed, Place(0, count)))}
    for parts in zip(*shares, strict=True):
        assert max(map(len, parts)) - min(map(len, parts)) <= 1 and min(map(len, parts)) > 0
    assert sorted(row for share in shares for batch in share for row in batch) == list(range(clips))
    if len(shares[0]) == len(whole):
        joined = [sorted(row for part in parts for row in part) for parts in zip(*shares, strict=True)]
        assert joined == [sorted(batch) for batch in whole], "each step sees the clips that one process would"


def test_fewer_clips_than_devices_are_refused():
    with pytest.raises(InputError, match=r"3 clips cannot be divided among 4 devices"):
        BatchOrder(np.array([5, 6, 7]), 8, 0, Place(0, 4))


def test_batches_have_little_padding_and_ever_new_company():
    draw = np.random.default_rng(0)
    samples = np.round(16000 * np.exp(draw.normal(1, 0.35, 360))).astype(int)  # like an acted corpus
    for size in (8, 32, 64):
        order = BatchOrder(samples, size, 1)
        assert order.measure_padding() < 0.6 * measure_padding(
            np.array_split(draw.permutation(360), len(order)), samples
        )
        met = []
        for epoch in range(8):
            order.set_epoch(epoch)
            met.append(np.zeros((360, 360)))
            for batch in order:
                met[-1][np.ix_(batch, batch)] = 1
        again = np.mean([(a * b).sum() / a.sum() for a, b in itertools.pairwise(met)])
        assert again < 0.55, "with few batches as well"


def measure_padding(batches, samples):
    return 1 - samples.sum() / sum(len(batch) * samples[batch].max() for batch in batches)


def test_no_length_comes_earlier_or_costs_more():
    samples = np.random.default_rng(0).integers(1000, 9000, 200)
    order, places = BatchOrder(samples, 10, 3), np.zeros(200)
    for epoch in range(300):
        order.set_epoch(epoch)
        for place, batch in enumerate(order):
            places[batch] += place / 300
    assert abs(np.corrcoef(places, samples)[0, 1]) < 0.2 and np.ptp(places) < 4, "of 20 batches; chance alone gives 2"
    shares = [BatchOrder(samples, 10, 3, Place(rank, 2)) for rank in range(2)]
    costs = [sum(samples[batch].max() * len(batch) for batch in share) for share in shares]
    assert abs(costs[0] / costs[1] - 1) < 0.05


@given(seed=st.integers(0, 99), epoch=st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_the_order_depends_on_seed_and_epoch_alone(build_part, seed, epoch):
    part = build_part(6, EMOTIONS, 6)
    first, _ = list_batches(part, 8, seed, epoch)
    torch.manual_seed(seed + epoch)
    assert list_batches(part, 8, seed, epoch)[0] == first
    assert list_batches(part, 8, seed + 1, epoch)[0] != first
    assert list_batches(part, 8, seed, epoch + 1)[0] != first


def test_without_a_seed_the_order_never_changes(build_part):
    part = build_part(6, EMOTIONS, 6)
    assert list_batches(part, 8)[0] == list_batches(part, 8)[0]


def test_who_meets_whom_changes_from_epoch_to_epoch(build_part):
    part = build_part(10, EMOTIONS, 6)
    companies = [{frozenset(rows) for rows in list_batches(part, 6, 0, epoch)[0]} for epoch in range(2)]
    assert len(companies[0] & companies[1]) < len(companies[0]) / 2


def test_functionals_targets_and_names(build_part):
    part = build_part(2, EMOTIONS, 2)
    batches, loader = list_batches(part, 5, 3)
    for rows, batch in zip(batches, loader, strict=True):
        np.testing.assert_array_equal(batch.inputs.numpy(), part.features[rows])
        assert [EMOTIONS[target] for target in batch.targets] == part.emotions[rows].tolist()
        assert list(batch.clips) == part.frame["clip"].iloc[rows].tolist()


def test_shares_of_raters_come_in_the_order_of_the_models_emotions(build_part):
    part = build_part(2, EMOTIONS, 2)
    votes = np.random.default_rng(0).random((len(part), 3))
    rated = {f"rated_{emotion}": votes[:, place] for place, emotion in enumerate(EMOTIONS)}
    part = replace(part, frame=part.frame.assign(**rated))
    emotions = ("sadness", "anger")
    loader = make_loader(part, emotions, 0, 5, 3, shares=True)
    for rows, batch in zip(loader.batch_sampler, loader, strict=True):
        expected = votes[rows][:, [2, 0]]
        assert batch.targets.dtype == torch.float32
        np.testing.assert_allclose(batch.targets, expected / expected.sum(1, keepdims=True), rtol=1e-5)


def test_an_emotion_that_the_model_does_not_know_is_marked(build_part):
    part = build_part(2, EMOTIONS, 1)
    (batch,) = make_loader(part, ("anger", "sadness"), 0, 100)
    targets = dict(zip(batch.clips, batch.targets.tolist(), strict=True))
    assert targets == {"00-anger-0": 0, "00-neutral-0": -1, "00-sadness-0": 1} | {
        "01-anger-0": 0, "01-neutral-0": -1, "01-sadness-0": 1,
    }  # fmt: skip


@pytest.fixture
def audio_part(tmp_path, build_frame, write_tone):
    paths = [write_tone(tmp_path / f"{index}.wav", 200 + 50 * index, 0.05 + 0.02 * index) for index in range(6)]
    frame = build_frame(1, EMOTIONS, 2, paths)
    return Part(frame, np.array([800 + 320 * index for index in range(6)]), None, Preparation())


def test_waveforms_are_padded_with_zeros_to_their_batch(audio_part):
    loader = make_loader(audio_part, EMOTIONS, 16000, 3, seed=0)
    for rows, batch in zip(loader.batch_sampler, loader, strict=True):
        assert batch.inputs.dtype == torch.float32 and batch.inputs.shape[1] == int(batch.lengths.max())
        assert batch.lengths.tolist() == audio_part.samples[rows].tolist()
        for row, length, wave in zip(rows, batch.lengths, batch.inputs, strict=True):
            expected, _ = soundfile.read(audio_part.frame["path"].iloc[row], dtype="float32")
            np.testing.assert_array_equal(wave[:length].numpy(), expected)
            assert (wave[length:] == 0).all()


def test_waveforms_are_cut_where_the_manifest_says(audio_part):
    cut = Part(audio_part.frame.assign(start=0.01, end=0.03), np.full(6, 320), None, Preparation())
    (batch,) = make_loader(cut, EMOTIONS, 16000, 10)
    assert batch.inputs.shape == (6, 320)
