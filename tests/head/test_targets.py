import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.svm import SVC

from ser.errors import InputError
from ser.head.data import Part, find_spread, read_targets
from ser.head.estimators import EstimatorHead
from ser.head.network import NetworkHead
from ser.head.regressors import RegressorHead

AV = ("arousal", "valence")


@pytest.fixture
def frame(build_frame):
    frame = build_frame(2)
    return frame.assign(arousal=np.arange(18) / 4, valence=[str(number) for number in range(18)])


def test_ratings_are_read_in_the_order_of_the_dimensions(frame):
    found = read_targets(frame, ["valence", "arousal"])
    np.testing.assert_array_equal(found, np.column_stack([np.arange(18), np.arange(18) / 4]))


def test_a_column_that_is_not_there_is_named_with_those_that_are(frame):
    with pytest.raises(InputError, match=r"(?s)no column 'dominance'.*expected: .*take, arousal\n"):
        read_targets(frame, ["arousal", "dominance"])


@pytest.mark.parametrize("value", [None, "high", np.inf])
def test_a_clip_without_a_rating_is_named(frame, value):
    frame["valence"] = frame["valence"].astype(object)
    frame.loc[3, "valence"] = value
    with pytest.raises(InputError, match=r"valence is missing or no number for 1 of 18 clips: 00-neutral-0"):
        read_targets(frame, AV)


def test_a_dimension_that_never_varies_is_refused(frame):
    with pytest.raises(InputError, match=r"arousal is 3.5 for all 18 clips"):
        read_targets(frame.assign(arousal=3.5), AV)


def test_parts_of_a_part_keep_their_targets(frame):
    targets = read_targets(frame, AV)
    part = Part(frame, np.ones(18), None, None, targets, AV).take(np.array([4, 2, 2]))
    np.testing.assert_array_equal(part.targets, targets[[4, 2, 2]])
    assert part.dimensions == AV


@pytest.mark.parametrize(
    ("targets", "dimensions"), [(np.ones((18, 2)), ()), (None, AV), (np.ones((18, 3)), AV), (np.ones((17, 2)), AV)]
)
def test_targets_and_dimensions_must_fit(frame, targets, dimensions):
    with pytest.raises(ValueError, match="do not fit"):
        Part(frame, np.ones(18), None, None, targets, dimensions)


def test_the_deviation_of_a_constant_is_one():
    mean, deviation = find_spread(np.array([[1.0, 1234.567], [3.0, 1234.567]], dtype=np.float32))
    np.testing.assert_allclose(mean, [2, 1234.567], rtol=1e-6)
    np.testing.assert_array_equal(deviation, [1, 1])


def test_every_head_says_which_targets_it_can_predict():
    EstimatorHead(SVC()).check_target(())
    RegressorHead(Ridge()).check_target(AV)
    for dimensions in ((), AV):
        NetworkHead().check_target(dimensions)
    with pytest.raises(InputError, match=r"(?s)SVC.*cannot predict arousal, valence.*head=ridge_regression"):
        EstimatorHead(SVC()).check_target(AV)
    with pytest.raises(InputError, match=r"(?s)Ridge.*cannot name emotions.*head=ridge,.*dataset.target=\[arousal"):
        RegressorHead(Ridge()).check_target(())
