"""The model that a run logged, served by MLflow over HTTP and kept in its registry."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
import soundfile
from study_tools import TINY_CNN

import ser as package


@pytest.fixture
def logged(tones, train, outputs, monkeypatch):
    """A run with a logged model, and a store that MLflow's own functions know."""
    keys = ["trainer.max_epochs=1", *TINY_CNN, "head=linear", "tracking.log_model=true"]
    outcome, folder = train(*tones.overrides, *keys)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{outputs / 'mlflow.db'}")
    yield outcome, folder
    mlflow.set_tracking_uri(before)


@pytest.fixture
def serve(logged, outputs):
    """MLflow's server of that model on a port of this machine; its address, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"runs:/{logged[0].run_id}/model"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # MLflow calls uvicorn by its name
    with (outputs / "server.log").open("w") as file:
        process = subprocess.Popen(
            [*command, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "--workers", "1"],
            env={**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 400
    while not answers(f"{address}/ping"):
        assert process.poll() is None and time.monotonic() < end, (outputs / "server.log").read_text()
        time.sleep(0.5)
    yield address
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def answers(address):
    try:
        return urlopen(address, timeout=60).status == 200
    except (URLError, ConnectionError, TimeoutError):
        return False


def ask(address, records):
    body = json.dumps({"dataframe_records": records}).encode()
    request = Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    return json.loads(urlopen(request, timeout=120).read())["predictions"]


@pytest.mark.timeout(900)
def test_a_server_says_what_the_command_says(logged, serve, tones, ser, outputs):
    said = ser("predict", f"run={logged[1]}", f"audio={tones.folder}/wav/s00*.wav", f"out={outputs / 'said.csv'}")
    table = pd.read_csv(outputs / "said.csv")
    assert said.code == 0 and len(table) == 9
    found = pd.DataFrame(ask(serve, [{"audio": soundfile.read(path)[0].tolist()} for path in table["file"]]))
    np.testing.assert_allclose(found.filter(like="p_"), table.filter(like="p_"), atol=1e-6)
    assert found["predicted"].tolist() == table["predicted"].tolist()
    with pytest.raises(HTTPError) as refused:
        ask(serve, [{"audio": [0.0] * 8000}])
    assert refused.value.code == 400 and "audio of row 0: silent" in refused.value.read().decode()


def test_the_registry_keeps_it_under_a_name(logged, tones):
    mlflow.register_model(f"runs:/{logged[0].run_id}/model", "emotions")
    model = mlflow.pyfunc.load_model("models:/emotions/1")
    path = tones.folder / "wav" / "s00-anger-0.wav"
    found = model.predict(pd.DataFrame({"audio": [soundfile.read(path)[0].tolist()]}))
    expected = package.load(logged[1])(path).probabilities
    assert {f"p_{name}": pytest.approx(value, abs=1e-6) for name, value in expected.items()} == found.filter(
        like="p_"
    ).iloc[0].to_dict()
    assert model.metadata.signature.outputs.input_names() == list(found)
