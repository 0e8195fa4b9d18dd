from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from toy_subjects import make_explainer

from ser.audio.prepare import Preparation
from ser.backbone.functionals import Functionals
from ser.config import compose
from ser.errors import InputError
from ser.explainer.linear_shap import find_linear_map
from ser.head.emotion_network import Shape
from ser.head.estimators import FittedEstimator
from ser.head.network import FittedDimensions, FittedNetwork, NetworkHead
from ser.head.trunk import Trunk
from ser.model import TrainedModel

SIZE = 88
NOTHING = torch.nn.Identity()


def draw_clips(count, seed, classes=3):
    generator = np.random.default_rng(seed)
    emotions = np.array(["anger", "neutral", "sadness"])[np.arange(count) % classes]
    features = generator.normal(3, 2, (count, SIZE)) * np.arange(1, SIZE + 1)
    features[:, :classes] += 3 * (emotions[:, None] == np.unique(emotions))
    return features.astype(np.float32), emotions


def wrap(head):
    return TrainedModel("fold-0", Trunk(Functionals()), Preparation(), head)


def fit(estimator, classes=3, scale=True):
    pipeline = make_pipeline(StandardScaler() if scale else "passthrough", estimator)
    return wrap(FittedEstimator(pipeline.fit(*draw_clips(90, 0, classes))))


def fit_network(classes=3, **changes):
    head = NetworkHead(**changes)
    torch.manual_seed(0)
    network = head.build(classes, Shape("vectors", (SIZE,)), Trunk(Functionals())).eval()
    network.standardise(draw_clips(90, 0)[0])
    return wrap(FittedNetwork(network, ("anger", "neutral", "sadness")[:classes], Shape("vectors", (SIZE,)), 16))


ESTIMATORS = (LogisticRegression(max_iter=500), RidgeClassifier(), LinearSVC(), SVC(kernel="linear"))


def explain(model, features, background, classes, **options):
    explainer = make_explainer("linear_shap")
    explainer.check_model(model)
    return explainer.explain_features(model, features, background, classes, **options)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_values_sum_to_the_difference_from_the_background(estimator, classes, scale):
    model = fit(estimator, classes, scale)
    features, _ = draw_clips(10, 1, classes)
    background, _ = draw_clips(40, 2, classes)
    own = np.arange(10) % classes
    table = explain(model, features, background, own)
    linear = find_linear_map(model)
    expected = linear.score(features)[np.arange(10), own] - linear.score(background).mean(0)[own]
    assert np.allclose(table.groupby("clip", sort=False)["value"].sum(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS[:3], ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("classes", [2, 3])
def test_scores_are_the_models_own(estimator, classes):
    model = fit(estimator, classes)
    features, _ = draw_clips(10, 1, classes)
    decision = model.head.pipeline.decision_function(features)
    scores = find_linear_map(model).score(features)
    if classes == 2:
        assert np.allclose(scores[:, 1], decision)
        return
    for own in range(classes):
        others = np.delete(decision, own, 1).mean(1)
        assert np.allclose(scores[:, own], decision[:, own] - others, atol=1e-6)


def test_pairs_of_a_support_vector_machine_are_averaged():
    model = fit(SVC(kernel="linear", decision_function_shape="ovo"))
    features, _ = draw_clips(10, 1)
    pairs = model.head.pipeline.decision_function(features)  # 0-1, 0-2, 1-2
    linear = find_linear_map(model)
    assert np.allclose(features @ linear.weights[1] + linear.bias[1], (-pairs[:, 0] + pairs[:, 2]) / 2)


@pytest.mark.parametrize("changes", [{}, {"batch_norm": True, "dropout": 0.3}])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_network_on_stored_vectors_is_read(classes, changes):
    model = fit_network(classes, **changes)
    features, _ = draw_clips(6, 1)
    before = {name: value.clone() for name, value in model.head.network.state_dict().items()}
    with torch.no_grad():
        logits = model.head.network(torch.as_tensor(features), torch.full((6,), 1)).double().numpy()
    scores = find_linear_map(model).score(features)
    for own in range(classes):
        assert np.allclose(scores[:, own], logits[:, own] - np.delete(logits, own, 1).mean(1), atol=1e-4)
    table = explain(model, features, draw_clips(30, 2)[0], np.zeros(6, dtype=int))
    expected = scores[:, 0] - find_linear_map(model).score(draw_clips(30, 2)[0])[:, 0].mean()
    assert np.allclose(table.groupby("clip", sort=False)["value"].sum(), expected)
    assert all(value.equal(before[name]) for name, value in model.head.network.state_dict().items())
    assert all(value.dtype != torch.float64 for value in model.head.network.state_dict().values())


def test_a_clip_has_a_row_for_each_functional_whatever_its_neighbours():
    model = fit(LogisticRegression(max_iter=500))
    features, background = draw_clips(3, 1)[0], draw_clips(30, 2)[0]
    table = explain(model, features, background, np.array([0, 1, 2]), clips=["x", "y", "z"])
    assert list(table.columns) == ["clip", "feature", "value"] and len(table) == 3 * SIZE
    assert table["feature"].iloc[0].startswith("F0semitone") and table["clip"].unique().tolist() == ["x", "y", "z"]
    alone = explain(model, features[1:2], background, np.array([1]), clips=["y"])
    assert np.allclose(alone["value"], table.loc[table["clip"] == "y", "value"])
    # Nothing differs from the background: nothing has any relevance.
    middle = explain(model, background.mean(0, keepdims=True), background, np.array([0]))
    assert np.abs(middle["value"]).max() < 1e-4 * table["value"].abs().max()


def test_dimensions_of_pooled_frames_are_named_by_statistic():
    from ser.chosen import build_trunk
    from ser.explainer.linear_shap import name_features

    trunk = build_trunk(compose(["backbone=tiny_wavlm", "pooling=mean_std"]))
    model = TrainedModel("fold-0", trunk, Preparation(), None)
    assert name_features(model, 64)[::32] == ["mean_0", "std_0"] and name_features(model, 64)[-1] == "std_31"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: fit(SVC(kernel="rbf")), "SVC is not linear"),
        (lambda: fit(instantiate(compose(["head=random_forest"]).head.estimator)), "RandomForest.* is not linear"),
        (lambda: fit_network(hidden=[4]), "ReLU"),
        (lambda: fit_network(relu=True), "ReLU"),
        (
            lambda: wrap(FittedDimensions(torch.nn.Identity(), ("arousal",), Shape("vectors", (SIZE,)), 16)),
            "predicts numbers",
        ),
        (lambda: wrap(FittedNetwork(NOTHING, ("a",), Shape("audio", ()), 16)), "audio"),
    ],
)
def test_models_that_are_not_linear_are_refused(model, reason):
    with pytest.raises(InputError, match=reason):
        make_explainer("linear_shap").check_model(model())


def test_the_choice_says_in_its_first_line_what_it_is():
    from ser.paths import find_shipped

    for path in sorted(Path(find_shipped("conf") / "explainer").glob("*.yaml")):
        assert path.read_text().startswith("# ")
