from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ser.backbone.mel_cnn import MelCNN
from ser.backbone.noise import Noise
from ser.errors import InputError
from ser.finetune.full import Full
from ser.head.data import Part, Workspace
from ser.head.emotion_network import Shape
from ser.head.network import NetworkHead, balance_classes
from ser.head.reading import Reading
from ser.head.trunk import Trunk
from ser.training.fit import Training

SMALL = {"rate": 16000, "mels": 16, "fft": 256, "window": 240, "hop": 120, "width": 2}
SEVEN = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")


def make_workspace(folder, trunk=None, epochs=30, **options):
    training = Training(
        partial(torch.optim.Adam, lr=0.05),
        None,
        nn.CrossEntropyLoss,
        0,
        epochs,
        accelerator="cpu",
        batch_size=16,
        **options,
    )
    return Workspace(folder, trunk or Trunk(Noise()), training, lambda *_: None)


def assert_same(one, other):
    assert one.emotions == other.emotions
    np.testing.assert_array_equal(one.predicted, other.predicted)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-7)


@pytest.mark.parametrize(
    "options", [{}, {"hidden": [7], "dropout": 0.2, "batch_norm": True}, {"scale": False}], ids=str
)
def test_a_saved_model_predicts_the_same(build_part, tmp_path, options):
    train, test = build_part(), build_part(seed=1, takes=5)
    head = NetworkHead(**options)
    model = head.fit(train, None, make_workspace(tmp_path, epochs=2))
    found = model.predict(test)
    assert found.probabilities.shape == (len(test), 3)
    np.testing.assert_allclose(found.probabilities.sum(1), 1)
    np.testing.assert_array_equal(np.array(found.emotions)[found.probabilities.argmax(1)], found.predicted)
    model.save(tmp_path)
    torch.manual_seed(99)
    assert_same(NetworkHead(**options).load(tmp_path, Trunk(Noise())).predict(test), found)


@pytest.fixture
def audio_part(tmp_path, build_frame, write_tone):
    paths = [write_tone(tmp_path / f"{index}.wav", 150 * (1 + index % 3), 0.1 + 0.013 * index) for index in range(12)]
    frame = build_frame(4, ("anger", "neutral", "sadness"), 1, paths)
    samples = np.array([round(16000 * (0.1 + 0.013 * index)) for index in range(12)])
    from ser.audio.prepare import Preparation

    return Part(frame, samples, None, Preparation())


def test_with_a_backbone_a_saved_model_predicts_the_same(audio_part, tmp_path):
    head = NetworkHead()
    trunk = Trunk(MelCNN(**SMALL), Full(), Reading(statistics=("mean", "std")))
    model = head.fit(audio_part, None, make_workspace(tmp_path, trunk, epochs=3))
    found = model.predict(audio_part)
    model.save(tmp_path)
    assert_same(NetworkHead().load(tmp_path, trunk).predict(audio_part), found)
    backwards = np.arange(12)[::-1]
    turned = model.predict(audio_part.take(backwards))
    np.testing.assert_allclose(turned.probabilities, found.probabilities[backwards], atol=1e-5)
    alone = [model.predict(audio_part.take(np.array([row]))).probabilities[0] for row in range(12)]
    np.testing.assert_allclose(alone, found.probabilities, atol=1e-5)


def test_six_of_seven_emotions_keep_their_names(build_part, tmp_path):
    part = build_part(4, SEVEN, 4, noise=0.3)
    train = part.take(np.flatnonzero(part.emotions != "disgust"))
    head = NetworkHead()
    head.fit(train, None, make_workspace(tmp_path)).save(tmp_path)
    model = head.load(tmp_path, Trunk(Noise()))
    assert model.emotions == tuple(name for name in SEVEN if name != "disgust")
    found = model.predict(train)
    np.testing.assert_array_equal(found.predicted, train.emotions)
    np.testing.assert_array_equal(np.array(model.emotions)[found.probabilities.argmax(1)], train.emotions)
    assert "disgust" not in model.predict(part).predicted


def test_the_scaler_knows_the_training_part_alone(build_part, tmp_path):
    everything = build_part(speakers=4)
    everything.features[:, 0] = 7
    train, validation = everything.take(np.arange(18)), everything.take(np.arange(18, 36))
    stopping = {"monitor": "val/uar", "mode": "max"}
    model = NetworkHead().fit(train, validation, make_workspace(tmp_path, epochs=1, early_stopping=stopping))
    np.testing.assert_allclose(model.network.mean.numpy(), train.features.mean(0), rtol=1e-5)
    np.testing.assert_allclose(model.network.scale.numpy()[1:], train.features.std(0)[1:], rtol=1e-5)
    assert model.network.scale[0] == 1
    unscaled = NetworkHead(scale=False).fit(train, None, make_workspace(tmp_path / "b", epochs=1))
    assert (unscaled.network.mean == 0).all() and (unscaled.network.scale == 1).all()


def test_a_constant_feature_of_any_size_is_only_centred(build_part, tmp_path):
    part = build_part()
    part.features[:, 0] = 1234.567
    network = NetworkHead().build(3, Shape("vectors", (6,)), Trunk(Noise()))
    network.standardise(part.features)
    standard = (torch.from_numpy(part.features) - network.mean) / network.scale
    assert standard[:, 0].abs().max() < 0.01
    np.testing.assert_allclose(standard[:, 1:].std(0, correction=0), 1, rtol=1e-4)


def test_initial_weights_depend_on_the_seed_alone(build_part, tmp_path):
    part, weights = build_part(), []
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(number)
        training = make_workspace(tmp_path / str(number), epochs=1)
        training.training.optimizer = partial(torch.optim.SGD, lr=0.0)
        weights.append(NetworkHead(seed=seed).fit(part, None, training).network.layers[-1].weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_class_weights_are_inverse_to_training_counts():
    labels = np.array(["anger"] * 6 + ["fear"] * 3 + ["neutral"])
    weights = balance_classes(labels, ["anger", "fear", "neutral"])
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    counts = np.array([6, 3, 1])
    assert (weights.numpy() * counts).sum() / counts.sum() == pytest.approx(1)


def test_hidden_layers_make_the_head_deeper():
    linear, deep = (
        NetworkHead(hidden=hidden).build(3, Shape("vectors", (6,)), Trunk(Noise())) for hidden in ([], [5, 4])
    )
    count = [sum(isinstance(layer, nn.Linear) for layer in network.layers) for network in (linear, deep)]
    assert count == [1, 3]


def test_nothing_saved_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such model"):
        NetworkHead().load(tmp_path, Trunk(Noise()))


def test_foreign_code_in_a_weights_file_is_refused(build_part, tmp_path):
    import os

    class Call:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    head = NetworkHead()
    head.fit(build_part(), None, make_workspace(tmp_path, epochs=1)).save(tmp_path)
    torch.save({"layers.1.weight": Call()}, tmp_path / "model.pt")
    with pytest.raises(Exception, match=r"(?i)weights_only|unsupported|model.pt"):
        head.load(tmp_path, Trunk(Noise()))
    assert not (tmp_path / "mark").exists()
