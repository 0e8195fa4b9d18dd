import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save_file
from speech_tools import make_backbone, write_preprocessor

from ser.backbone.speech import Speech
from ser.backbone.weights import find_checkpoint, hash_files, hash_parameters
from ser.backbone.whisper import Whisper
from ser.errors import InputError


@pytest.fixture
def saved(tmp_path):
    """A tiny HuBERT in a folder, as transformers saves it."""
    folder = write_preprocessor(tmp_path / "saved", do_normalize=False)
    make_backbone("tiny_hubert").build().model.save_pretrained(folder)
    return folder


def test_a_folder(saved):
    checkpoint = find_checkpoint(str(saved))
    assert checkpoint.config == saved / "config.json"
    assert checkpoint.weights == (saved / "model.safetensors",)
    assert checkpoint.read_preprocessor()["do_normalize"] is False
    assert Speech(str(saved)).choose_normalise() is False
    assert Speech(str(saved), normalise=True).choose_normalise() is True


def test_settings_kept_beside_a_tokenizers(saved):
    settings = (saved / "preprocessor_config.json").read_text()
    (saved / "preprocessor_config.json").unlink()
    (saved / "processor_config.json").write_text(json.dumps({"feature_extractor": json.loads(settings)}))
    assert Speech(str(saved)).choose_normalise() is False


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json there; found model.safetensors"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights there; found config.json"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "backbone.normalise=true or false"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "not a JSON object"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "of the family bert"),
        (lambda folder: write_preprocessor(folder, sampling_rate=8000), "8000 Hz"),
        (
            lambda folder: (folder / "model.safetensors").write_text("version https://git-lfs…"),
            "no weights can be read",
        ),
    ],
)
def test_folders_that_are_not_as_they_should_be(saved, spoil, told):
    spoil(saved)
    with pytest.raises(InputError, match=told):
        Speech(str(saved)).build()


def test_a_missing_folder():
    for source in ("/nowhere/wav2vec2", "./nowhere", "a/b/c", "~/nowhere"):
        with pytest.raises(InputError, match="no such folder"):
            find_checkpoint(source)


def test_an_index_cannot_lead_out_of_its_folder(saved, tmp_path):
    (saved / "model.safetensors").rename(tmp_path / "outside.safetensors")
    index = saved / "model.safetensors.index.json"
    for name in ("../outside.safetensors", str(tmp_path / "outside.safetensors"), "absent.safetensors"):
        index.write_text(json.dumps({"weight_map": {"encoder.layer_norm.weight": name}}))
        with pytest.raises(InputError, match="names files that are not there"):
            find_checkpoint(str(saved))


def test_the_hash_is_of_contents(saved, tmp_path):
    before = Speech(str(saved)).identify()
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in saved.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    assert Speech(str(copied)).identify() == before
    state = find_checkpoint(str(saved)).weights[0].read_bytes()
    (saved / "model.safetensors").write_bytes(state[:-1] + bytes([state[-1] ^ 1]))
    assert Speech(str(saved)).identify()["weights"] != before["weights"]


def test_a_file_that_did_not_change_is_read_once(saved, monkeypatch):
    paths = find_checkpoint(str(saved)).weights
    first, begin = hash_files(paths), time.perf_counter()
    monkeypatch.setattr("pathlib.Path.open", lambda *_: pytest.fail("read again"))
    assert hash_files(paths) == first
    assert time.perf_counter() - begin < 0.1


def test_hash_of_parameters():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    hashes = [hash_parameters(network), hash_parameters(network)]
    for change in (
        lambda: network[0].weight.data.add_(1),
        lambda: network[1].running_mean.add_(1),
        lambda: network.to(torch.bfloat16),
    ):
        change()
        hashes.append(hash_parameters(network))
    assert hashes[0] == hashes[1] and len(set(hashes)) == 4


UNREACHABLE = """
import sys, time
from ser.backbone.speech import Speech
from ser.errors import InputError
try:
    Speech("facebook/wav2vec2-base").identify()
except InputError as error:
    print(error)
print(*[name for name in ("torch", "transformers") if name in sys.modules])
"""


def test_an_id_out_of_reach_is_an_error_at_once(tmp_path):
    hub = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    begin = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", UNREACHABLE], env=os.environ | hub, capture_output=True, text=True)
    assert time.perf_counter() - begin < 20  # retries alone would take longer
    assert "hf download facebook/wav2vec2-base --local-dir DIR" in found.stdout
    assert found.stdout.splitlines()[-1] == ""


class Hub(BaseHTTPRequestHandler):
    """As much of the Hugging Face hub as a download needs: one model, one commit."""

    folder = None
    asked: list[str]
    commit = "0123456789abcdef0123456789abcdef01234567"

    def do_GET(self):
        self.answer(body=True)

    def do_HEAD(self):
        self.answer(body=False)

    def answer(self, body):
        self.asked.append(f"{self.command} {self.path}")
        if self.path.startswith("/api/models/org/tiny/revision/") or self.path == "/api/models/org/tiny":
            siblings = [{"rfilename": path.name} for path in self.folder.iterdir()]
            content = json.dumps({"id": "org/tiny", "sha": self.commit, "siblings": siblings}).encode()
        elif self.path.startswith("/org/tiny/resolve/"):
            content = (self.folder / self.path.rsplit("/", 1)[1]).read_bytes()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(saved):
    """A hub with org/tiny, and what it was asked."""
    handler = type("TinyHub", (Hub,), {"folder": saved, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler.asked
    server.shutdown()
    server.server_close()


IDENTIFY = """
import sys
from ser.backbone.speech import Speech
backbone = Speech("org/tiny", sys.argv[1] if sys.argv[1:] else None)
print(backbone.identify()["weights"], backbone.checkpoint.weights[0].parent)
"""


def test_an_id_is_downloaded_once(hub, saved, tmp_path):
    address, asked = hub
    (saved / "README.md").write_text("not needed")
    env = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}

    def identify(*arguments):
        command = [sys.executable, "-c", IDENTIFY, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()

    found, folder = identify()
    assert found == find_checkpoint(str(saved)).hash()
    assert Hub.commit in folder and not any("README" in request for request in asked)
    asked.clear()
    assert identify() == [found, folder] and identify("main") == [found, folder]
    assert identify(Hub.commit) == [found, folder]
    assert asked == []  # the cache is enough


@pytest.mark.parametrize(("kind", "choice"), [(Speech, "tiny_wavlm"), (Whisper, "tiny_whisper")])
def test_the_hash_of_loaded_parameters_differs_from_random_ones(kind, choice, tmp_path, caplog):
    folder = write_preprocessor(tmp_path / "saved", do_normalize=True)
    trained = make_backbone(choice, seed=7).build()
    getattr(trained, "encoder", getattr(trained, "model", None)).save_pretrained(folder)
    with caplog.at_level("INFO", "ser"):
        loaded = kind(str(folder)).build()
    assert hash_parameters(loaded) == hash_parameters(trained) != hash_parameters(make_backbone(choice).build())
    assert f"{folder}, hash of its parameters {hash_parameters(loaded)[:8]}" in caplog.text


def test_pickled_code_is_not_run(saved, tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "run"), "w"))

    (saved / "model.safetensors").unlink()
    torch.save({"weight": Touch()}, saved / "pytorch_model.bin")
    with pytest.raises(InputError, match="no weights can be read"):
        Speech(str(saved)).build()
    assert not (tmp_path / "run").exists()


def test_weights_that_are_no_tensors_of_the_network(saved):
    save_file({"other": torch.zeros(2)}, saved / "model.safetensors")
    with pytest.raises(InputError, match="missing: encoder"):
        Speech(str(saved)).build()
