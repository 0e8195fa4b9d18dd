import numpy as np
import pytest
from hydra.utils import instantiate
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.svm import SVR

from ser import regression
from ser.backbone.noise import Noise
from ser.config import compose
from ser.errors import InputError
from ser.finetune.full import Full
from ser.head.data import Part, Workspace
from ser.head.regressors import RegressorHead
from ser.head.trunk import Trunk

AVD = ("arousal", "valence", "dominance")
REGRESSORS = ("ridge_regression", "svr")


class Spy(RegressorMixin, BaseEstimator):
    """Mean that notes which rows it was fitted on and asked about; rows carry their number."""

    log: list = []  # noqa: RUF012 - shared by all clones on purpose

    def __init__(self, alpha=1):
        self.alpha = alpha

    def fit(self, features, targets):
        self.rows_ = set(features[:, 0].astype(int))
        return self

    def predict(self, features):
        Spy.log.append((self.rows_, set(features[:, 0].astype(int))))
        return features[:, 0] * self.alpha


def rate(part, noise=0.3, seed=0):
    """The part with ratings on scales of their own, linear in the features."""
    rng = np.random.default_rng(99)
    clean = part.features.astype(float) @ rng.normal(0, 1, (part.features.shape[1], 3))
    clean = (clean + np.random.default_rng(seed).normal(0, noise * clean.std(0), clean.shape)) / clean.std(0)
    return Part(part.frame, part.samples, part.features, part.preparation, clean * [1, 0.1, 20] + [4, 0.5, 50], AVD)


def fit(head, part):
    return head.fit(part, None, Workspace(None, Trunk(Noise()), None, lambda *_: None))


def ccc(part, found):
    return regression.ccc(regression.sum_clips(part.targets, found.predicted))


@pytest.fixture
def part(build_part):
    return rate(build_part(speakers=6, takes=4, noise=4.0))


@pytest.mark.parametrize("name", REGRESSORS)
def test_every_choice_fits_predicts_and_is_read_back(name, part, tmp_path):
    config = compose([f"head={name}"])
    head = instantiate(config.head, class_weight=config.class_weight)
    head.check(Trunk(Noise()))
    head.check_target(AVD)
    model = fit(head, part.take(np.arange(0, 60)))
    test = part.take(np.arange(60, 72))
    found = model.predict(test)
    assert model.dimensions == found.dimensions == AVD and model.emotions == ()
    assert found.predicted.shape == (12, 3)
    assert (ccc(test, found) > 0.7).all()
    model.save(tmp_path)
    again = head.load(tmp_path, Trunk(Noise()))
    assert again.dimensions == AVD
    np.testing.assert_array_equal(again.predict(test).predicted, found.predicted)


def test_ridge_is_what_scikit_learn_does_on_z_scores(part):
    train, test = part.take(np.arange(48)), part.take(np.arange(48, 72))
    x, t = train.features.astype(float), train.targets
    z = (x - x.mean(0)) / x.std(0)
    scores = (t - t.mean(0)) / t.std(0)
    weights = np.linalg.solve(z.T @ z + 3.0 * np.eye(6), z.T @ scores)
    expected = (test.features - x.mean(0)) / x.std(0) @ weights * t.std(0) + t.mean(0)
    np.testing.assert_allclose(fit(RegressorHead(Ridge(alpha=3.0)), train).predict(test).predicted, expected, rtol=1e-4)


@pytest.mark.parametrize("estimator", [Ridge(), SVR()], ids=lambda e: type(e).__name__)
def test_the_unit_of_the_ratings_does_not_matter(estimator, part):
    scaled = Part(part.frame, part.samples, part.features, None, part.targets * [8, 1 / 4, 2] - [1, 2, 3], AVD)
    one, other = (fit(RegressorHead(estimator), clips).predict(part).predicted for clips in (part, scaled))
    np.testing.assert_allclose(one * [8, 1 / 4, 2] - [1, 2, 3], other, atol=1e-3)


def test_dimensions_are_predicted_apart(part):
    found = fit(RegressorHead(SVR()), part).predict(part)
    for place, name in enumerate(AVD):
        alone = Part(part.frame, part.samples, part.features, None, part.targets[:, [place]], (name,))
        single = fit(RegressorHead(SVR()), alone).predict(part)
        assert single.predicted.shape == (72, 1)
        np.testing.assert_allclose(single.predicted[:, 0], found.predicted[:, place], rtol=1e-6)


def test_scalers_know_the_training_part_alone(part):
    train = part.take(np.arange(18))
    model = fit(RegressorHead(Ridge()), train).model
    np.testing.assert_allclose(model.regressor_[0].mean_, train.features.astype(float).mean(0), atol=1e-5)
    np.testing.assert_allclose(model.transformer_.mean_, train.targets.mean(0))
    np.testing.assert_allclose(model.transformer_.scale_, train.targets.std(0))
    assert not np.allclose(model.transformer_.mean_, part.targets.mean(0))


def test_the_search_never_has_a_speaker_on_both_sides(part):
    Spy.log.clear()
    numbered = Part(part.frame, part.samples, np.arange(72.0)[:, None], None, part.targets[:, :1], AVD[:1])
    fit(RegressorHead(Spy(), {"alpha": [1, 2, 3]}, scale=False, inner_folds=4), numbered)
    assert len(Spy.log) == 3 * 4
    for fitted, asked in Spy.log:
        fitted_on, asked_about = (set(part.speakers[list(rows)]) for rows in (fitted, asked))
        assert not fitted_on & asked_about and fitted | asked == set(range(72))
    assert {frozenset(asked) for _, asked in Spy.log[:4]} == {frozenset(asked) for _, asked in Spy.log[4:8]}


def test_tuning_chooses_by_ccc(part):
    # Of a weak predictor the cautious fraction errs least, the full spread agrees best.
    rng = np.random.default_rng(0)
    values, noise = np.linalg.qr(rng.normal(size=(72, 2)))[0].T[:, :, None] * np.sqrt(72)
    targets = 0.35 * values + np.sqrt(1 - 0.35**2) * noise
    weak = Part(part.frame, part.samples, values, None, targets, AVD[:1])
    errors = [np.abs(targets - alpha * values).mean() for alpha in (0.3, 1.0)]
    assert errors[0] < errors[1]
    assert fit(RegressorHead(Spy(), {"alpha": [0.3, 1.0]}), weak).choices["alpha"] == 1.0


def test_tuning_can_be_left_out(part):
    head = {"estimator": Ridge(alpha=7.0), "grid": {"alpha": [1.0, 1e6]}}
    assert fit(RegressorHead(**head), part).choices["alpha"] == 1.0
    assert fit(RegressorHead(**head, tune=False), part).choices["alpha"] == 7.0
    assert head["estimator"].alpha == 7.0 and not hasattr(head["estimator"], "coef_")


def test_tuning_needs_two_speakers(build_part):
    with pytest.raises(InputError, match=r"(?s)two training speakers.*head.tune=false"):
        fit(RegressorHead(Ridge(), {"alpha": [1]}), rate(build_part(speakers=1)))


def test_the_seed_decides(part):
    forest = RandomForestRegressor(n_estimators=5)
    one, same, other = (fit(RegressorHead(forest, seed=s), part).predict(part).predicted for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_noise_scores_at_chance(build_part):
    part = build_part(speakers=8, takes=10)
    rng = np.random.default_rng(0)
    noise = Part(part.frame, part.samples, part.features, None, rng.normal(3, 1, (len(part), 2)), AVD[:2])
    train, test = noise.take(np.arange(180)), noise.take(np.arange(180, 240))
    head = RegressorHead(Ridge(), {"alpha": [0.1, 10, 1000]})
    assert (np.abs(ccc(test, fit(head, train).predict(test))) < 0.2).all()


def test_what_cannot_work_is_refused(build_part, tmp_path):
    from ser.backbone.mel_cnn import MelCNN

    with pytest.raises(InputError, match=r"(?s)class_weight=balanced: LinearRegression.*class_weight=none"):
        RegressorHead(LinearRegression(), class_weight="balanced").check(Trunk(Noise()))
    with pytest.raises(InputError, match=r"(?s)SVR.*cannot train the backbone MelCNN.*head=linear"):
        RegressorHead(SVR()).check(Trunk(MelCNN(width=1), Full()))
    with pytest.raises(InputError, match="cannot name emotions"):
        fit(RegressorHead(Ridge()), build_part())
    with pytest.raises(InputError, match="no such model"):
        RegressorHead(Ridge()).load(tmp_path, None)


def test_a_classifier_refuses_a_part_with_targets(part):
    from sklearn.linear_model import LogisticRegression

    from ser.head.estimators import EstimatorHead

    with pytest.raises(InputError, match="cannot predict arousal"):
        fit(EstimatorHead(LogisticRegression()), part)
