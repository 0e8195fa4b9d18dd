"""What tests of whole runs share: generated corpora, a database of their own, the command in and out of process."""

import logging
import os
import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest
import soundfile
from study_tools import PITCH, RATE, Said, Spoken, count_threads, kill_group, make_noise, make_tone


@pytest.fixture(scope="session")
def write_corpus():
    """Write speakers x emotions x takes as wav files and a CSV table; emotion is audible as pitch."""

    def write(folder, speakers=6, emotions=("anger", "neutral", "sadness"), takes=3, seconds=0.3, only=None, noisy=()):
        # only: emotion -> the speakers who show it; noisy: speakers whose clips are noise instead of tones
        rows = []
        (folder / "wav").mkdir(parents=True)
        for speaker in range(speakers):
            for place, emotion in enumerate(emotions):
                name = f"s{speaker:02d}"
                if name not in (only or {}).get(emotion, [name]):
                    continue
                for take in range(takes):
                    seed = [speaker, place, take]
                    length = seconds + 0.02 * take
                    noise = name in noisy
                    wave = make_noise([9, *seed], length) if noise else make_tone(PITCH[emotion], seed, length)
                    path = f"wav/{name}-{emotion}-{take}.wav"
                    soundfile.write(folder / path, wave, RATE)
                    part = "test" if speaker >= speakers - 1 else "dev" if speaker == speakers - 2 else "train"
                    rows.append((path, emotion, name, "fm"[speaker % 2], f"t{take}", f"session{speaker // 2}", part))
        columns = ["path", "emotion", "speaker", "gender", "sentence", "session", "split"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / "clips.csv", index=False)
        return Spoken(folder, folder / "clips.csv")

    return write


@pytest.fixture(scope="session")
def tones(tmp_path_factory, write_corpus):
    """6 speakers x 3 emotions x 3 takes; not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="session")
def schema(tmp_path_factory):
    """A database with MLflow's tables and nothing in them: making one takes seconds, copying it none."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("schema") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def outputs(tmp_path, schema, monkeypatch):
    """A folder of this test alone that SER_OUTPUTS points to, with a ready MLflow database in it."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    shutil.copy(schema, folder / "mlflow.db")
    monkeypatch.setenv("SER_OUTPUTS", str(folder))
    return folder


@pytest.fixture
def runs(outputs):
    """The runs in this test's database, without sweeps' parents unless asked for."""

    def search(kind="run"):
        from mlflow import MlflowClient

        uri = f"sqlite:///{outputs / 'mlflow.db'}"
        client = MlflowClient(uri, uri)
        experiments = [item.experiment_id for item in client.search_experiments()]
        found = client.search_runs(experiments, max_results=5000)
        return [run for run in found if (run.data.tags.get("ser.kind") == "sweep") == (kind == "sweep")]

    return search


@pytest.fixture
def ser(outputs, monkeypatch, capsys):
    """The command ``ser`` within this process."""
    from ser.cli import main

    root = logging.getLogger()
    before = list(root.handlers), root.level
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def call(*arguments):
        capsys.readouterr()
        try:
            code = main([str(item) for item in arguments])
        except SystemExit as end:
            code = end.code
        finally:
            for handler in set(root.handlers) - set(before[0]):
                root.removeHandler(handler)
                handler.close()
            root.handlers[:], root.level = before[0], before[1]
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture
def train(outputs):
    """A run through the Python API: overrides to its outcome and its directory."""
    from ser.config import compose
    from ser.train import train as train_run

    def call(*overrides, name="run"):
        folder = outputs / name
        return train_run(compose([str(item) for item in overrides]), folder), folder

    return call


@pytest.fixture
def start_ser(outputs):
    """The command ``ser`` as a process group of its own; what still runs at the end is ended."""
    started = []

    def start(*arguments, code=None):
        head = [sys.executable, "-m", "ser"] if code is None else [sys.executable, "-c", code]
        number = len(started)
        out, err = (outputs / f"process-{number}.{name}" for name in ("out", "err"))
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                [*head, *map(str, arguments)],
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": str(count_threads())},
            )
        started.append(process)
        process.said = lambda: Said(process.wait(timeout=240), out.read_text(), err.read_text())
        return process

    yield start
    for process in started:
        if process.poll() is None:
            kill_group(process)


@pytest.fixture
def kill_when():
    """Wait until something holds of a running process, then ``kill -9`` it and its children."""

    def wait(process, condition, seconds=300):
        end = time.monotonic() + seconds
        while not condition():
            assert process.poll() is None, f"ended before it could be killed: {process.said()}"
            assert time.monotonic() < end, "nothing to kill within the time"
            time.sleep(0.01)
        kill_group(process)

    return wait
