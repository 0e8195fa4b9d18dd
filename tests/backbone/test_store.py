import signal
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.backbone.store import FeatureStore, load_row

IDENTITY = {"extractor": "test", "dim": 3}
BEGIN = "import sys, numpy as np; from ser.backbone.store import FeatureStore\n"
DIGESTS = [f"{index:032x}" for index in range(200)]

HALFWAY = (
    BEGIN
    + """
import time

def save_half(file, array, **_):
    file.write(b"\\x93NUMPY half a file")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)

np.save = save_half
store = FeatureStore(sys.argv[1], {"extractor": "test", "dim": 3})
for batch in store.claim(sys.argv[2:]):
    for digest in batch:
        store.write(digest, np.zeros(3))
"""
)

ENDLESS = (
    BEGIN
    + """
store = FeatureStore(sys.argv[1], {"extractor": "test", "dim": 3})
print("writing", flush=True)
for index in range(10**6):
    store.write(f"{index:032x}", np.full(20_000, index))
"""
)

EXTRACT = (
    BEGIN
    + """
import os, time

store = FeatureStore(sys.argv[1], {"extractor": "test", "dim": 3})
digests = [f"{index:032x}" for index in range(200)]
sys.stdin.readline()
with open(sys.argv[2], "a") as log:
    for batch in store.claim(digests if sys.argv[3] == "0" else digests[::-1], at_least=8):
        for digest in batch:
            time.sleep(0.001)
            os.write(log.fileno(), (digest + "\\n").encode())
            store.write(digest, np.full(3, int(digest, 16)))
"""
)


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", IDENTITY)


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=3), dtype=st.sampled_from(["float32", "float64", "int16"])
)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, shape, dtype):
    store = FeatureStore(tmp_path_factory.mktemp("store"), IDENTITY)
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    store.write(DIGESTS[0], array)
    (found,) = store.read([DIGESTS[0]])
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_order_and_duplicates(store):
    for index in (0, 1, 2):
        store.write(DIGESTS[index], np.full(3, index))
    asked = [DIGESTS[index] for index in (2, 0, 2, 1)]
    assert [int(array[0]) for array in store.read(asked)] == [2, 0, 2, 1]
    missing = store.find_missing([DIGESTS[5], DIGESTS[0], DIGESTS[5], DIGESTS[4]])
    assert missing == [DIGESTS[5], DIGESTS[4]]


def test_what_was_never_written_is_a_key_error(store):
    with pytest.raises(KeyError, match="no features"):
        store.read([DIGESTS[0]])


def test_writing_again_replaces(store):
    store.write(DIGESTS[0], np.zeros(3))
    store.write(DIGESTS[0], np.ones(3))
    assert store.read([DIGESTS[0]])[0].tolist() == [1, 1, 1]


def test_variants_of_a_clip_are_there_together_or_not_at_all(store):
    several = FeatureStore(store.folder.parent, IDENTITY, variants=3)
    with pytest.raises(ValueError, match="2 arrays of a clip that has 3"):
        several.write(DIGESTS[0], np.zeros(2), np.zeros(4))
    several.write(DIGESTS[0], np.zeros(2), np.zeros(4), np.zeros(6))
    assert [len(several.read(DIGESTS[:1], variant)[0]) for variant in range(3)] == [2, 4, 6]
    for first in (0, 1):  # as where a writer was killed after these
        several.find_path(DIGESTS[1], first).parent.mkdir(parents=True, exist_ok=True)
        np.save(several.find_path(DIGESTS[1], first), np.zeros(2))
    assert several.find_missing(DIGESTS[:2]) == DIGESTS[1:2]


@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 2), (7,)])
def test_one_row_is_read_without_the_others(store, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    store.write(DIGESTS[0], array)
    for row in range(-shape[0], shape[0]):
        (found,) = store.load(DIGESTS[:1], lambda path, row=row: load_row(path, lambda count: row % count))
        np.testing.assert_array_equal(found, array[row])


def test_a_record_lies_beside_the_features(store):
    assert store.read_record() == {}
    store.write_record({"source": "somewhere", "parameters": 7})
    assert FeatureStore(store.folder.parent, IDENTITY).read_record() == {"source": "somewhere", "parameters": 7}


@pytest.mark.parametrize("other", [{**IDENTITY, "dim": 4}, {**IDENTITY, "version": "2"}, {"extractor": "test"}])
def test_another_identity_is_another_address(store, other):
    different = FeatureStore(store.folder.parent, other)
    store.write(DIGESTS[0], np.zeros(3))
    assert different.find_path(DIGESTS[0]) != store.find_path(DIGESTS[0])
    assert different.find_missing(DIGESTS[:1]) == DIGESTS[:1]


def test_the_order_of_an_identitys_items_is_none_of_its_business(store):
    assert FeatureStore(store.folder.parent, dict(reversed(IDENTITY.items()))).folder == store.folder


def test_claims_cover_what_is_missing_once(store):
    for digest in DIGESTS[:50]:
        store.write(digest, np.zeros(3))
    claimed = [digest for batch in store.claim(DIGESTS * 2, at_least=16) for digest in batch]
    assert Counter(claimed) == Counter(DIGESTS[50:])


def test_claims_come_in_batches_of_about_the_size_asked_for(store):
    sizes = [len(batch) for batch in store.claim(DIGESTS, at_least=16)]
    assert sum(sizes) == 200 and all(size >= 16 for size in sizes[:-1]) and len(sizes) > 5


def test_a_writer_killed_halfway_leaves_nothing_visible(store):
    digests = DIGESTS[:2]
    process = start(HALFWAY, store.folder.parent, *digests)
    assert process.stdout.readline() == "writing\n"
    kill(process)
    assert list(store.folder.rglob("*.tmp")), "the writer was killed before it wrote"
    assert not list(store.folder.rglob("*.npy")) and store.find_missing(digests) == digests
    for batch in store.claim(digests):  # the dead process's lock is no obstacle
        for digest in batch:
            store.write(digest, np.ones(3))
    assert not list(store.folder.rglob("*.tmp"))
    assert [array.tolist() for array in store.read(digests)] == [[1, 1, 1]] * 2


def test_every_visible_file_of_a_killed_writer_is_whole(store):
    process = start(ENDLESS, store.folder.parent)
    assert process.stdout.readline() == "writing\n"
    while not store.find_path(DIGESTS[20]).exists():
        assert process.poll() is None
    kill(process)
    written = [index for index in range(2000) if store.find_path(f"{index:032x}").exists()]
    assert len(written) >= 21
    for index, array in zip(written, store.read([f"{index:032x}" for index in written]), strict=True):
        assert array.shape == (20_000,) and (array == index).all()


def test_two_processes_share_the_work_and_do_none_of_it_twice(store, tmp_path):
    log = tmp_path / "log"
    processes = [start(EXTRACT, store.folder.parent, log, number) for number in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        process.stdin.close()
        process.stdout.close()
    assert Counter(log.read_text().split()) == Counter(DIGESTS)
    assert [int(array[0]) for array in store.read(DIGESTS)] == list(range(200))
