import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ser.errors import InputError
from ser.prediction.calibrate import fit_temperature, temper

EMOTIONS = ["anger", "fear", "neutral"]


def make_validated(scale, clips=4000, seed=0):
    """Predictions of a model whose logits are ``scale`` times those that would be calibrated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (clips, 3))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    true = [rng.choice(EMOTIONS, p=row) for row in honest]
    said = np.exp(scale * logits) / np.exp(scale * logits).sum(1, keepdims=True)
    frame = pd.DataFrame(said, columns=[f"p_{name}" for name in EMOTIONS])
    return frame.assign(true=true, fold="a")


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_too_much_or_too_little_confidence(scale):
    found = fit_temperature(make_validated(scale))
    assert found.value == pytest.approx(scale, rel=0.08)
    assert found.after <= found.before + 1e-9 and found.clips == 4000
    assert (found.after < found.before - 0.01) == (scale != 1.0)


def test_emotions_that_no_model_knows_do_not_count():
    frame = make_validated(2.0, 400)
    more = pd.concat([frame, frame.head(50).assign(true="calm")])
    assert fit_temperature(more) == fit_temperature(frame)
    absent = frame.assign(p_calm=np.nan)  # a fold whose model was never shown it
    assert fit_temperature(absent).value == pytest.approx(fit_temperature(frame).value, rel=1e-4)


def test_nothing_to_fit_on_is_refused():
    with pytest.raises(InputError, match="no validation predictions"):
        fit_temperature(pd.DataFrame())
    with pytest.raises(InputError, match="predicts numbers"):
        fit_temperature(pd.DataFrame({"true_arousal": [1.0], "pred_arousal": [0.5]}))


@given(arrays(float, (4, 3), elements=st.floats(0.01, 1)), st.floats(0.1, 10))
def test_tempering_keeps_order_and_sums(weights, temperature):
    probabilities = weights / weights.sum(1, keepdims=True)
    tempered = temper(probabilities, temperature)
    np.testing.assert_allclose(tempered.sum(1), 1)
    assert (
        np.sign(np.subtract.outer(tempered[0], tempered[0]).round(9))
        * np.sign(np.subtract.outer(probabilities[0], probabilities[0]).round(9))
        >= 0
    ).all()
    np.testing.assert_allclose(temper(probabilities, 1.0), probabilities, atol=1e-12)


def test_an_emotion_that_is_impossible_stays_so():
    np.testing.assert_allclose(temper(np.array([0.25, 0.0, 0.75]), 5.0)[1], 0)
