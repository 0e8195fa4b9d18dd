"""One feature store, several processes: no clip is computed twice, nothing is left half-written."""

import numpy as np
import pandas as pd
import pytest

from ser.audio.inspect import inspect_clips
from ser.audio.prepare import Preparation
from ser.backbone.extract import extract_features
from ser.backbone.noise import Noise

CLIPS = 160
WORKER = """
import sys, time
from pathlib import Path
import numpy as np, pandas as pd
from ser.audio.inspect import inspect_clips
from ser.audio.prepare import Preparation
from ser.backbone.extract import extract_features
from ser.backbone.noise import Noise

table, store, mark = sys.argv[1], sys.argv[2], Path(sys.argv[3])
frame = pd.read_parquet(table)
digests = inspect_clips(frame, Preparation(), 16000)["digest"].tolist()

class Counting(Noise):
    def compute(self, waveform):
        with mark.with_suffix(".count").open("a") as file:
            file.write(f"{len(waveform)}\\n")
        time.sleep(0.01)
        return super().compute(waveform)

mark.with_suffix(".ready").touch()
while not mark.with_name("go").exists():
    time.sleep(0.002)
np.save(mark.with_suffix(".npy"), extract_features(Counting(dim=4000), frame, digests, Preparation(), store))
"""


@pytest.fixture
def frame(tmp_path, write_tone):
    paths = [write_tone(tmp_path / "wav" / f"{i:03d}.wav", 100 + i, 0.02 + i / 16000) for i in range(CLIPS)]
    frame = pd.DataFrame(
        {"clip": [p.stem for p in paths], "path": list(map(str, paths)), "start": np.nan, "end": np.nan}
    )
    frame.to_parquet(tmp_path / "frame.parquet")
    return frame


@pytest.fixture
def start(start_ser, tmp_path):
    def begin(name):
        return start_ser(tmp_path / "frame.parquet", tmp_path / "store", tmp_path / name, code=WORKER)

    return begin


@pytest.fixture
def expected(frame, tmp_path):
    digests = inspect_clips(frame, Preparation(), 16000)["digest"].tolist()
    return extract_features(Noise(dim=4000), frame, digests, Preparation(), tmp_path / "alone")


def count(tmp_path, *names):
    return [len((tmp_path / f"{name}.count").read_text().splitlines()) for name in names]


def wait_for(processes, *paths):
    import time

    while not all(path.exists() for path in paths):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.005)


def test_two_processes_share_the_work(start, tmp_path, expected):
    processes = [start("a"), start("b")]
    wait_for(processes, tmp_path / "a.ready", tmp_path / "b.ready")
    (tmp_path / "go").touch()
    for process in processes:
        said = process.said()
        assert said.code == 0, said.err
    shares = count(tmp_path, "a", "b")
    assert sum(shares) == CLIPS, "every clip once"
    assert min(shares) > CLIPS / 10, "both worked"
    for name in ("a", "b"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)
    assert not list((tmp_path / "store").rglob("*.tmp"))


def test_a_killed_extraction_is_completed(start, kill_when, tmp_path, expected):
    (tmp_path / "go").touch()
    counted = tmp_path / "a.count"
    kill_when(start("a"), lambda: counted.is_file() and len(counted.read_text().splitlines()) > CLIPS / 3)
    said = start("b").said()
    assert said.code == 0, said.err
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), expected)
    # Lost is only what was being computed at that moment: a clip for each thread.
    assert CLIPS <= sum(count(tmp_path, "a", "b")) <= CLIPS + 8
    assert not list((tmp_path / "store").rglob("*.tmp"))
