"""Backbones of random weights, a spoken corpus, and configurations of the stage."""

import pytest
from speaking import make_texts, write_speech

#: Settings with which a small network learns the language of tones in seconds.
QUICK = (
    "backbone=tiny_wav2vec2_layer_norm",
    "backbone.config.num_hidden_layers=1",
    "finetune.front_end=true",
    "optimizer.lr=0.005",
    "trainer.batch_size=8",
    "trainer.accelerator=cpu",
)


@pytest.fixture(scope="session")
def spoken(tmp_path_factory):
    """4 speakers x 16 texts; not to be changed."""
    return write_speech(tmp_path_factory.mktemp("spoken"), make_texts(16))


@pytest.fixture
def compose_stage(spoken, tmp_path, tracking_uri, monkeypatch):
    """A configuration of the stage on that corpus, with outputs and a database of this test alone."""
    from ser.config import compose

    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path / "outputs"))

    def make(*overrides, quick=QUICK):
        own = ["dataset=csv", f"dataset.path={spoken}", "dataset.name=tones", f"tracking.uri={tracking_uri}"]
        return compose([*own, *quick, *overrides], "pretune")

    return make


@pytest.fixture(scope="session")
def make_backbone():
    """A small backbone with random weights, as its YAML says."""
    from hydra.utils import instantiate

    from ser.config import compose

    def make(name, *overrides):
        return instantiate(compose([f"backbone={name}", *overrides], "pretune").backbone)

    return make
