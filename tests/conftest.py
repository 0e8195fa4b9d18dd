"""What tests of several parts share: real corpora, small waves, small parts, a ready MLflow database."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

# Logging the final model costs a run a tenth of a second and some writes to the database, half a second on a busy
# machine: too much for the hundreds of runs here, few of which look at it. Those that do ask for it.
os.environ.setdefault("SER_LOG_MODEL", "false")


def find_corpus(name):
    """Folder of a real corpus, or the reason why there is none."""
    root = os.environ.get("SER_DATA")
    if not root:
        return None, f"needs the corpus {name}: set SER_DATA to the folder that holds {name}/"
    folder = Path(root) / name
    return (folder, "") if folder.is_dir() else (None, f"needs the corpus {name}: {folder} is missing")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("data"):
        folder, reason = find_corpus(mark.args[0])
        if folder is not None:
            continue
        if os.environ.get("SER_REQUIRE_DATA") == "1":
            pytest.fail(f"SER_REQUIRE_DATA=1: {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture
def corpus_root(request):
    """Folder of the corpus that the test's ``data`` marker names."""
    return find_corpus(request.node.get_closest_marker("data").args[0])[0]


@pytest.fixture(scope="session")
def write_tone():
    """Write a short tone of its own for each frequency; returns the path."""
    import soundfile

    def write(path, frequency=220.0, seconds=0.1, rate=16000, channels=1, **options):
        time = np.arange(round(seconds * rate)) / rate
        tone = (0.3 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate, **options)
        return path

    return write


@pytest.fixture(scope="session")
def build_frame():
    """Rows of a manifest for speakers x emotions x takes; ``paths`` are taken in turn."""

    def build(speakers=4, emotions=("anger", "neutral", "sadness"), takes=3, paths=("none.wav",)):
        rows = [
            {"speaker": f"{speaker:02d}", "emotion": emotion, "take": take}
            for speaker in range(speakers)
            for emotion in emotions
            for take in range(takes)
        ]
        frame = pd.DataFrame(rows)
        frame["clip"] = [
            f"{s}-{e}-{t}" for s, e, t in zip(frame["speaker"], frame["emotion"], frame["take"], strict=True)
        ]
        frame["path"] = [str(paths[index % len(paths)]) for index in range(len(frame))]
        frame["label"] = frame["emotion"].str[0].str.upper()
        frame["gender"] = np.where(frame["speaker"].astype(int) % 2 == 0, "female", "male")
        frame["sentence"] = "s" + frame["take"].astype(str)
        return frame.assign(start=np.nan, end=np.nan, dataset="mine")

    return build


@pytest.fixture(scope="session")
def build_part(build_frame):
    """A part with functionals: a centre for each emotion, and noise."""
    from ser.audio.prepare import Preparation
    from ser.head.data import Part

    def build(speakers=4, emotions=("anger", "neutral", "sadness"), takes=3, dim=6, noise=1.0, seed=0):
        frame = build_frame(speakers, emotions, takes)
        centres = np.random.default_rng(99).normal(0, 3, (26, dim))
        place = [ord(emotion[0]) - ord("a") for emotion in frame["emotion"]]
        features = centres[place] + np.random.default_rng(seed).normal(0, noise, (len(frame), dim))
        samples = 1000 + np.arange(len(frame)) * 37 % 500
        return Part(frame, samples, features.astype(np.float32), Preparation())

    return build


CREATE = """
import sys
from ser.tracking.tracker import Tracker

tracker = Tracker(sys.argv[1], "same", sys.argv[2])
sys.stdin.readline()
tracker.connect()
print(tracker._experiment_id)
"""


@pytest.fixture(scope="session")
def created_together(tmp_path_factory):
    """A fresh MLflow database that two processes created at once: its path, exit codes and output.

    Making the schema takes seconds; every other test copies this one.
    """
    folder = tmp_path_factory.mktemp("mlflow")
    path = folder / "new" / "template.db"
    arguments = [sys.executable, "-c", CREATE, f"sqlite:///{path}", str(folder / "artifacts")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(arguments, **pipes) for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=300) for process in processes]
    return path, [process.returncode for process in processes], outputs


@pytest.fixture
def tracking_uri(created_together, tmp_path):
    """URI of a fresh MLflow database of this test alone."""
    path = tmp_path / "tracking" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(created_together[0], path)
    return f"sqlite:///{path}"
