import numpy as np
import pytest
from hydra.utils import instantiate
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from ser.backbone.noise import Noise
from ser.config import compose
from ser.errors import InputError
from ser.finetune.full import Full
from ser.head.data import Part, Workspace
from ser.head.estimators import EstimatorHead
from ser.head.trunk import Trunk

ESTIMATORS = ("dummy", "dummy_stratified", "knn", "logreg", "random_forest", "ridge", "svm")


class Spy(ClassifierMixin, BaseEstimator):
    """Majority classifier that notes which rows it was fitted on and asked about; rows carry their number."""

    log: list = []  # noqa: RUF012 - shared by all clones on purpose

    def __init__(self, alpha=1):
        self.alpha = alpha

    def fit(self, features, labels):
        self.classes_ = np.unique(labels)
        self.rows_ = set(features[:, 0].astype(int))
        return self

    def predict(self, features):
        Spy.log.append((self.rows_, set(features[:, 0].astype(int))))
        return np.full(len(features), self.classes_[0])

    def decision_function(self, features):
        return np.tile(-np.arange(len(self.classes_), dtype=float), (len(features), 1))


def fit(head, part, folder=None):
    return head.fit(part, None, Workspace(folder, Trunk(Noise()), None, lambda *_: None))


@pytest.fixture
def part(build_part):
    return build_part(speakers=6, takes=4, noise=4.0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_choice_fits_predicts_and_is_read_back(name, part, tmp_path):
    few = ["head.estimator.n_estimators=8"] if name == "random_forest" else []
    config = compose([f"head={name}", *few])
    head = instantiate(config.head, class_weight=config.class_weight)
    head.check(Trunk(Noise()))
    model = fit(head, part.take(np.arange(0, 60)))
    test = part.take(np.arange(60, 72))
    found = model.predict(test)
    assert model.emotions == found.emotions == ("anger", "neutral", "sadness")
    assert found.probabilities.shape == (12, 3) and found.predicted.shape == (12,)
    assert (found.probabilities >= 0).all()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    assert set(found.predicted) <= set(model.emotions)
    model.save(tmp_path)
    again = head.load(tmp_path, Trunk(Noise())).predict(test)
    assert again.emotions == found.emotions
    np.testing.assert_array_equal(again.probabilities, found.probabilities)
    np.testing.assert_array_equal(again.predicted, found.predicted)


def test_the_choices_above_are_all_there_are():
    from ser.paths import find_shipped

    texts = {path.stem: path.read_text() for path in (find_shipped("conf") / "head").glob("*.yaml")}
    assert {n for n, t in texts.items() if "EstimatorHead" in t or "- dummy" in t} == set(ESTIMATORS)


@pytest.mark.parametrize("emotions", [("anger", "neutral"), ("anger", "neutral", "sadness", "fear")])
@pytest.mark.parametrize(
    "estimator", [SVC(break_ties=True), LogisticRegression(), RidgeClassifier()], ids=lambda e: type(e).__name__
)
def test_the_emotion_named_is_the_most_probable(estimator, emotions, build_part):
    train, test = (build_part(4, emotions, 5, noise=6.0, seed=seed) for seed in (0, 1))
    found = fit(EstimatorHead(estimator), train).predict(test)
    best = np.array(found.emotions)[found.probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(found.predicted, best)
    assert len(set(found.predicted)) > 1


def test_the_scaler_knows_the_training_part_alone(build_part):
    everything = build_part(speakers=4)
    train = everything.take(np.arange(18))
    scaler = fit(EstimatorHead(LogisticRegression()), train).pipeline[0]
    np.testing.assert_allclose(scaler.mean_, train.features.astype(float).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(scaler.scale_, train.features.astype(float).std(axis=0), atol=1e-6)
    assert not np.allclose(scaler.mean_, everything.features.mean(axis=0))


def test_without_scaling_features_pass_as_they_are(part):
    assert fit(EstimatorHead(LogisticRegression(), scale=False), part).pipeline[0] == "passthrough"


def test_the_unit_of_a_feature_does_not_matter_with_scaling(part):
    scaled = Part(part.frame, part.samples, part.features * np.float32(1024), part.preparation)
    head = EstimatorHead(SVC())
    one, other = fit(head, part).predict(part), fit(head, scaled).predict(scaled)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)


def test_the_search_never_has_a_speaker_on_both_sides(part):
    Spy.log.clear()
    numbered = Part(part.frame, part.samples, np.arange(len(part), dtype=float)[:, None], part.preparation)
    fit(EstimatorHead(Spy(), {"alpha": [1, 2, 3]}, scale=False, inner_folds=4), numbered)
    assert len(Spy.log) == 3 * 4
    for fitted, asked in Spy.log:
        fitted_on, asked_about = (set(part.speakers[list(rows)]) for rows in (fitted, asked))
        assert not fitted_on & asked_about and fitted | asked == set(range(len(part)))
    assert {frozenset(asked) for _, asked in Spy.log[:4]} == {frozenset(asked) for _, asked in Spy.log[4:8]}


def test_tuning_chooses_from_the_grid_and_can_be_left_out(part):
    head = {"estimator": LogisticRegression(C=7.0), "grid": {"C": [0.01, 0.1]}}
    assert fit(EstimatorHead(**head), part).choices["C"] in (0.01, 0.1)
    assert fit(EstimatorHead(**head, tune=False), part).choices["C"] == 7.0


def test_fitting_leaves_the_heads_own_estimator_alone(part):
    estimator = LogisticRegression(C=7.0)
    head = EstimatorHead(estimator, {"C": [0.01]}, class_weight="balanced")
    fit(head, part)
    assert estimator.C == 7.0 and estimator.class_weight is None and not hasattr(estimator, "coef_")


def test_tuning_needs_two_speakers(build_part):
    with pytest.raises(InputError, match=r"(?s)two training speakers.*head.tune=false"):
        fit(EstimatorHead(LogisticRegression(), {"C": [1]}), build_part(speakers=1))


def test_the_seed_decides(build_part):
    part = build_part(noise=30.0)
    heads = [
        instantiate(
            compose(["head=random_forest", "head.tune=false", "head.estimator.n_estimators=5", f"seed={s}"]).head
        )
        for s in (1, 1, 2)
    ]
    one, same, other = (fit(head, part).predict(build_part(noise=30.0, seed=5)).probabilities for head in heads)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_balanced_weights_come_from_training_counts(build_part):
    part = build_part(speakers=4, takes=10, noise=20.0)
    rows = np.flatnonzero((part.emotions != "sadness") | (part.frame["take"] == 0).to_numpy())
    skewed = part.take(rows)
    recall = {}
    for weight in ("none", "balanced"):
        model = fit(EstimatorHead(LogisticRegression(C=0.01), class_weight=weight), skewed)
        recall[weight] = (model.predict(part).predicted == "sadness").mean()
    assert recall["balanced"] > recall["none"]


def test_class_weights_are_refused_where_there_are_none():
    with pytest.raises(InputError, match=r"(?s)class_weight=balanced: KNeighborsClassifier.*class_weight=none"):
        EstimatorHead(KNeighborsClassifier(), class_weight="balanced").check(Trunk(Noise()))
    EstimatorHead(SVC(), class_weight="balanced").check(Trunk(Noise()))


def test_a_backbone_that_is_trained_is_refused():
    from ser.backbone.mel_cnn import MelCNN

    with pytest.raises(InputError, match=r"(?s)SVC.*cannot train the backbone MelCNN.*head=linear"):
        EstimatorHead(SVC()).check(Trunk(MelCNN(width=1), Full()))


def test_a_grid_over_an_unknown_parameter_is_refused():
    with pytest.raises(InputError, match=r"(?s)head.grid: SVC has no parameter c\n.*C, "):
        EstimatorHead(SVC(), {"c": [1]}).check(Trunk(Noise()))


def test_six_of_seven_emotions_keep_their_names(build_part, tmp_path):
    seven = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
    part = build_part(4, seven, 4, noise=0.3)
    train = part.take(np.flatnonzero(part.emotions != "disgust"))
    fit(head := EstimatorHead(SVC(break_ties=True)), train).save(tmp_path)
    model = head.load(tmp_path, Trunk(Noise()))
    assert model.emotions == tuple(name for name in seven if name != "disgust")
    found = model.predict(train)
    assert (found.predicted == train.emotions).all()
    np.testing.assert_array_equal(np.array(model.emotions)[found.probabilities.argmax(1)], train.emotions)
    assert "disgust" not in model.predict(part).predicted
