import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from frames_tools import DEPTH, DIM, HOP, Tiny, Unbuilt, compute_alone, hear, make_clips, read_lengths
from hypothesis import given
from hypothesis import strategies as st

from ser.audio.duration import Fixed
from ser.audio.prepare import Preparation
from ser.augmentation.compose import Union
from ser.augmentation.copies import Copies
from ser.augmentation.loudness import Loudness
from ser.augmentation.stretch import Tempo
from ser.backbone.extract import fill_hidden
from ser.backbone.frames import PADDING, cut_batches
from ser.backbone.statistics import Frames, Statistics, combine, read_frames, read_vectors
from ser.errors import InputError

CLIPS = 24
WORKER = """
import sys
from frames_tools import Tiny, hear
import numpy as np, pandas as pd
from pathlib import Path
from ser.backbone.extract import fill_hidden
from ser.backbone.statistics import Statistics, read_vectors

table, store, note, delay = sys.argv[1:]
if float(delay):
    from ser.backbone import frames
    frames.BATCHES, frames.SECONDS = 2, 0.5  # small claims, so that there is something to share
frame = pd.read_parquet(table)
Path(note + ".ready").touch()
while not Path(table).with_name("go").exists():
    pass
filled = fill_hidden(Tiny(note=note, delay=float(delay)), hear(frame), store, Statistics())
np.save(note + ".npy", read_vectors(filled, frame["digest"].tolist(), "mix", ["mean", "std"]))
"""


@pytest.fixture
def frame(tmp_path, write_tone):
    paths = [write_tone(tmp_path / "wav" / f"{i:02d}.wav", 200 + 10 * i, 0.05 + 0.017 * i) for i in range(CLIPS)]
    return make_clips(paths)


@pytest.fixture
def expected(frame):
    """Hidden states [F, L, D] of each clip by itself."""
    return [compute_alone(Preparation().read(path, 16000)) for path in frame["path"]]


@pytest.fixture
def root(tmp_path):
    return tmp_path / "store"


def fill(frame, root, level=None, backbone=None, **options):
    return fill_hidden(backbone or Tiny(), hear(frame, **options), root, level or Statistics())


def test_statistics_are_those_of_the_frames(frame, expected, root):
    store, digests = fill(frame, root), frame["digest"].tolist()
    wanted = {
        "mean": [hidden.mean(0) for hidden in expected],
        "std": [hidden.std(0) for hidden in expected],
        "max": [hidden.max(0) for hidden in expected],
        "sum": [hidden.sum(0) for hidden in expected],
        "mean_plus_max": [hidden.mean(0) + hidden.max(0) for hidden in expected],
    }
    for name, values in wanted.items():
        found = read_vectors(store, digests, "mix", [name])
        assert found.shape == (CLIPS, DEPTH, DIM) and found.dtype == np.float32
        np.testing.assert_allclose(found, np.stack(values), rtol=1e-4, atol=1e-5, err_msg=name)
        for layer in range(-DEPTH, DEPTH):
            np.testing.assert_array_equal(read_vectors(store, digests, layer, [name]), found[:, layer])
    both = read_vectors(store, digests[::-1], 1, ["mean", "std"])
    assert both.shape == (CLIPS, 2 * DIM)
    np.testing.assert_allclose(both[0], np.concatenate([wanted[name][-1][1] for name in ("mean", "std")]), atol=1e-5)


def test_all_layers_and_statistics_come_from_one_pass(frame, root, tmp_path):
    note = str(tmp_path / "note")
    fill(frame, root, backbone=Tiny(note=note))
    assert sorted(read_lengths(note)) == sorted(frame["samples"])
    store = fill(frame, root, backbone=Unbuilt(layer=1))
    assert read_vectors(store, frame["digest"].tolist(), 1, ["max"]).shape == (CLIPS, DIM)


def test_only_what_is_new_is_computed(frame, root, tmp_path, write_tone):
    note = str(tmp_path / "note")
    fill(frame.iloc[:8], root)
    more = make_clips([*frame["path"], write_tone(tmp_path / "new.wav", 999.0, 0.2)])
    fill(more, root, backbone=Tiny(note=note))
    assert sorted(read_lengths(note)) == sorted(more["samples"].iloc[8:])


@pytest.mark.parametrize("layer", [-1, 0, 2, "mix"])
def test_frames_are_those_of_the_network(frame, expected, root, layer):
    found = read_frames(fill(frame, root, Frames(layer)), frame["digest"].tolist())
    assert found.dtype == object and found.shape == (CLIPS,)
    for frames, hidden in zip(found, expected, strict=True):
        np.testing.assert_allclose(frames, hidden if layer == "mix" else hidden[:, layer], atol=1e-5)


def test_half_precision_takes_half_the_space(frame, root):
    digests = frame["digest"].tolist()
    whole = read_frames(fill(frame, root, Frames(1)), digests)
    half = read_frames(fill(frame, root, Frames(1, "float16")), digests)
    assert half[0].dtype == np.float16 and 2 * half[0].nbytes == whole[0].nbytes
    np.testing.assert_allclose(half[3], whole[3], atol=1e-3)


def test_frames_beyond_memory_stay_in_their_files(frame, root):
    digests = frame["digest"].tolist()
    store = fill(frame, root, Frames("mix"))
    kept, lazy = read_frames(store, digests), read_frames(store, digests, memory=1)
    for array, stored in zip(kept, lazy, strict=True):
        assert not isinstance(stored, np.ndarray)
        assert (stored.shape, stored.ndim, stored.dtype, stored.nbytes) == (array.shape, 3, array.dtype, array.nbytes)
        assert len(stored) == len(array)
        np.testing.assert_array_equal(np.asarray(stored), array)
        np.testing.assert_array_equal(stored[2:, 1], array[2:, 1])
        padded = np.zeros((len(array) + 1, *array.shape[1:]))
        padded[:-1] = stored
        np.testing.assert_array_equal(padded[:-1], array)
    np.testing.assert_array_equal(np.concatenate(list(lazy[[3, 1]])), np.concatenate([kept[3], kept[1]]))


def test_a_layer_that_there_is_not(frame, root):
    store, digests = fill(frame, root), frame["digest"].tolist()
    for layer in (DEPTH, -DEPTH - 1):
        with pytest.raises(InputError, match=rf"(?s)layer={layer}.* 3 hidden states"):
            read_vectors(store, digests, layer, ["mean"])
        with pytest.raises(InputError, match=rf"(?s)layer={layer}.* 3 hidden states"):
            fill(frame, root, Frames(layer))


def test_names_that_there_are_not():
    with pytest.raises(InputError, match=r"(?s)median.*mean, std, max, sum, mean_plus_max"):
        combine(np.zeros((4, DIM)), ["mean", "median"])
    with pytest.raises(InputError, match="float64"):
        Frames(0, "float64")


def test_other_weights_layers_and_kinds_of_numbers_have_other_addresses(frame, root):
    few = frame.iloc[:3]
    levels = [Statistics(), Frames(0), Frames(1), Frames("mix"), Frames(0, "float16")]
    stores = [fill(few, root, level) for level in levels] + [fill(few, root, backbone=Tiny(seed=1))]
    assert len({store.folder for store in stores}) == len(stores)
    one, other = (read_vectors(stores[i], few["digest"].tolist(), 0, ["mean"]) for i in (0, -1))
    assert not np.allclose(one, other)


def test_the_weights_are_on_record(frame, root):
    record = fill(frame, root).read_record()
    assert record["parameters"] == HOP * DIM + DIM + (DEPTH - 1) * (DIM * DIM + DIM)
    assert record["identity"] == Tiny().identify() and record["source"]
    other = fill(frame, root, backbone=Tiny(seed=1)).read_record()
    assert other["parameters"] == record["parameters"] and other["hash"] != record["hash"]


def test_torch_keeps_its_threads(frame, root):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        fill(frame, root)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@given(
    lengths=st.lists(st.integers(1, 100_000), min_size=1, max_size=200),
    budget=st.integers(1, 400_000),
)
def test_batches_are_within_budget_and_nearly_without_padding(lengths, budget):
    sizes = {f"{index:032x}": length for index, length in enumerate(lengths)}
    batches = list(cut_batches(sizes, budget))
    assert Counter(digest for batch in batches for digest in batch) == Counter(list(sizes))
    for batch in batches:
        longest = max(sizes[digest] for digest in batch)
        padded = longest * len(batch)
        assert len(batch) == 1 or padded <= budget
        assert padded - sum(sizes[digest] for digest in batch) <= PADDING * padded + 1e-6


CORPORA = [pytest.param(name, marks=pytest.mark.data(name)) for name in ("emodb", "emovo", "ravdess")]


@pytest.mark.parametrize("corpus", CORPORA)
def test_little_is_padding_on_real_corpora(corpus, corpus_root, root, caplog):
    frame = make_clips(sorted(p for p in corpus_root.rglob("*") if p.suffix in (".wav", ".flac"))[:400])
    caplog.set_level("INFO")
    fill(frame, root)
    waste = float(caplog.text.split(" % of the batches was padding")[0].rsplit(maxsplit=1)[-1])
    assert 0 < waste < 5


@pytest.mark.parametrize("wrong", ["nan", "inf"])
def test_numbers_that_are_not_finite_name_the_clip(frame, root, wrong, monkeypatch):
    from tiny_network import TinyNetwork

    forward = TinyNetwork.forward

    def spoil(self, waveforms, lengths):
        hidden, frames = forward(self, waveforms, lengths)
        hidden[1][lengths == frame["samples"][7], 2] = float(wrong)
        return hidden, frames

    monkeypatch.setattr(TinyNetwork, "forward", spoil)
    for level in (Statistics(), Frames(1)):
        with pytest.raises(InputError, match=r"07\.wav.*not finite"):
            fill(frame, root, level)
    fill(frame.drop(7), root)


def test_what_half_precision_cannot_hold_is_an_error(frame, root, monkeypatch):
    from tiny_network import TinyNetwork

    forward = TinyNetwork.forward
    monkeypatch.setattr(TinyNetwork, "forward", lambda *args: ([x + 1e5 for x in forward(*args)[0]], forward(*args)[1]))
    fill(frame, root, Frames(1))
    with pytest.raises(InputError, match="too large for float16"):
        fill(frame, root, Frames(1, "float16"))


def test_a_clip_without_frames_is_an_error(frame, tmp_path, root, write_tone):
    short = make_clips([*frame["path"], write_tone(tmp_path / "short.wav", 440.0, 0.5 * HOP / 16000)])
    with pytest.raises(InputError, match=r"short\.wav.*too short"):
        fill(short, root)


def test_a_batch_that_memory_cannot_hold_is_halved(frame, expected, root, monkeypatch):
    from tiny_network import TinyNetwork

    forward = TinyNetwork.forward
    most = [3 * max(frame["samples"])]

    def limit(self, waveforms, lengths):
        if waveforms.numel() > most[0]:
            raise torch.OutOfMemoryError("of a device")
        return forward(self, waveforms, lengths)

    monkeypatch.setattr(TinyNetwork, "forward", limit)
    found = read_vectors(fill(frame, root), frame["digest"].tolist(), 1, ["mean"])
    np.testing.assert_allclose(found, [hidden[:, 1].mean(0) for hidden in expected], atol=1e-5)
    most[0] = max(frame["samples"]) - 1
    with pytest.raises(InputError, match=rf"{CLIPS - 1:02d}\.wav.*memory"):
        fill(frame, root, Frames(0))


@pytest.mark.parametrize(("pad", "heard"), [("end", 3200), ("both", 8000), ("start", 8000)])
def test_zeros_are_heard_as_where_the_network_is_trained(tmp_path, root, write_tone, pad, heard):
    path = write_tone(tmp_path / "tone.wav", 300.0, 0.2)
    preparation = Preparation(duration=Fixed(0.5, pad))
    frame = make_clips([path], preparation)
    (found,) = read_frames(fill(frame, root, Frames("mix"), preparation=preparation), frame["digest"].tolist())
    assert hear(frame, preparation).measure(frame["digest"][0]) == heard
    np.testing.assert_allclose(found, compute_alone(preparation.read(path, 16000)[:heard]), atol=1e-5)


def test_copies_are_kept_variant_by_variant(frame, root, tmp_path):
    few, digests, note = frame.iloc[:6], frame["digest"].tolist()[:6], str(tmp_path / "note")
    union = Union([Loudness(-30.0), Tempo(0.8, 0.8)])
    copies = Copies(union, 16000, seed=3, copy=1)
    store = fill(few, root, Frames("mix"), Tiny(note=note), copies=copies)
    assert copies.variants == 2 and len(read_lengths(note)) == 12
    waves = [Preparation().read(path, 16000) for path in few["path"]]
    for variant in range(2):
        found = read_frames(store, digests, variant)
        for frames, wave in zip(found, waves, strict=True):
            np.testing.assert_allclose(frames, compute_alone(copies.vary(wave)[variant]), atol=1e-5)
    again = fill(few, root, Frames("mix"), Unbuilt(), copies=Copies(union, 16000, seed=3, copy=1))
    assert again.folder == store.folder and not (root / "tmp").exists()
    for other in (Copies(union, 16000, 3, 2), Copies(union, 16000, 4, 1), Copies(Tempo(), 16000, 3, 1), None):
        assert fill(few, root, Frames("mix"), copies=other).folder != store.folder


def test_reading_what_is_there_loads_no_torch(frame, root, tmp_path):
    fill(frame, root)
    frame.to_parquet(tmp_path / "frame.parquet")
    code = WORKER + "\nassert 'torch' not in sys.modules\n"
    process = start(tmp_path, root, "reader", code=code)
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    assert np.load(tmp_path / "reader.npy").shape == (CLIPS, DEPTH, 2 * DIM)


def start(tmp_path, root, name, delay=0.0, code=WORKER):
    command = [sys.executable, "-c", code, tmp_path / "frame.parquet", root, tmp_path / name, delay]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([str(part) for part in command], env=env)


def wait_until(condition, *processes):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end and all(process.poll() is None for process in processes)
        time.sleep(0.005)


def test_two_processes_compute_no_clip_twice(frame, root, tmp_path, expected):
    frame.to_parquet(tmp_path / "frame.parquet")
    processes = [start(tmp_path, root, name, delay=0.02) for name in ("a", "b")]
    wait_until(lambda: all((tmp_path / f"{name}.ready").exists() for name in ("a", "b")), *processes)
    (tmp_path / "go").touch()
    assert [process.wait(120) for process in processes] == [0, 0]
    shares = [read_lengths(tmp_path / name) for name in ("a", "b")]
    assert sorted(shares[0] + shares[1]) == sorted(frame["samples"])
    for name in ("a", "b"):
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found[..., :DIM], [hidden.mean(0) for hidden in expected], atol=1e-5)


def test_a_killed_extraction_goes_on_where_it_was(frame, root, tmp_path):
    frame.to_parquet(tmp_path / "frame.parquet")
    (tmp_path / "go").touch()
    process = start(tmp_path, root, "killed", delay=0.1)
    wait_until(lambda: len(list(root.rglob("*.npy"))) >= 3, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = len(list(root.rglob("*.npy")))
    assert 3 <= there < CLIPS
    note = tmp_path / "note"
    store = fill(frame, root, backbone=Tiny(note=str(note)))
    assert len(read_lengths(note)) == CLIPS - there
    assert not store.find_missing(frame["digest"]) and not list(root.rglob("*.tmp"))


def test_clips_of_a_file_are_told_apart(frame, root, tmp_path):
    cut = frame.iloc[[CLIPS - 1]].assign(start=0.1, end=0.2)
    assert hear(cut).name(cut["digest"].iloc[0]).endswith("23.wav (0.1 to 0.2 s)")
    assert hear(frame).name(frame["digest"].iloc[3]).endswith("03.wav")
