import numpy as np
import pytest
import torch
from evaluation_tools import make_clip, make_exact, make_map, make_probe, make_real, make_real_clip, make_subject

from ser.errors import InputError
from ser.explainer.evaluation.nulls import Slope, explain_one, make_nulls
from ser.explainer.evaluation.probe import CellSize, Probe
from ser.explainer.evaluation.sanity import score_inputs, score_sanity
from ser.explainer.null import Energy
from ser.explainer.subject import Subject

REAL = make_real("mel_cnn_small")
CLIPS = [make_real_clip(REAL, f"clip{seed}", seed=seed) for seed in range(2)]
PROBES = [Probe(REAL, clip, CellSize().cut(REAL, clip)) for clip in CLIPS]


def judge(explainer, **changes):
    """Mean of each sanity score of an explainer."""

    def explain(subject, clip):
        return explain_one(subject, explainer, clip, "m")

    maps = [explain(REAL, clip) for clip in CLIPS]
    found = {}
    for _, metric, value in score_sanity(REAL, PROBES, maps, explain, 0, **changes):
        found.setdefault(metric, []).append(value)
    return {metric: float(np.mean(values)) for metric, values in found.items()}


def test_a_map_of_the_input_alone_fails_every_check():
    found = judge(Energy())
    for metric in ("random_weights", "random_weights_absolute", "random_weights_ssim", "random_class"):
        assert found[metric] == pytest.approx(1)
    assert found["same_for_classes"] == 1 and found["complexity_rise"] == 0


def test_a_map_of_the_model_changes_with_its_weights_and_with_the_class():
    found = judge(Slope())
    assert found["random_weights"] < 0.3 and found["random_weights_ssim"] < 0.5
    assert found["random_class"] == pytest.approx(-1)  # the margin of the other one of two classes
    assert found["same_for_classes"] == 0


def test_weights_are_randomised_from_the_head_down_and_one_level_at_a_time():
    found = judge(Slope())
    names = [metric for metric in found if metric.startswith("random_weights/")]
    assert names == [
        f"random_weights/{name}"
        for name in ("to head", "to block 2", "to block 1", "to front", "only block 2", "only block 1", "only front")
    ]
    assert found["random_weights"] == found["random_weights/to front"]


def test_a_model_of_permuted_labels_has_other_maps():
    other = make_real("mel_cnn_small")
    torch.nn.init.normal_(other.network.whole.top.layers[-1].weight)
    assert judge(Slope(), label_run=other)["random_labels"] < 0.95
    assert judge(Slope(), label_run=REAL)["random_labels"] == pytest.approx(1)
    assert judge(Energy(), label_run=other)["random_labels"] == pytest.approx(1)
    with pytest.raises(InputError, match="permuted labels"):
        judge(Slope(), label_run=make_subject_of_other_classes())


def make_subject_of_other_classes():
    return Subject(("x", "y"), REAL.rate, REAL.network, trunk=REAL.trunk)


def test_models_without_gradients_are_asked_about_classes_only():
    subject = Subject(("a", "b"), 16000, ask=lambda waves: np.zeros((len(waves), 2)))
    clip = make_real_clip(subject)
    probe = Probe(subject, clip, CellSize().cut(subject, clip))
    explain = next(iter(make_nulls(subject, [clip], 0))).explain
    found = [metric for _, metric, _ in score_sanity(subject, [probe], [explain(subject, clip)], explain, 0)]
    assert found == ["random_class", "same_for_classes"]


def test_likeness_to_energy_and_to_its_rises():
    energy = np.arange(32.0).reshape(4, 8)
    energy[:, 3:] -= 20
    subject = make_subject()
    probe = make_probe(subject, make_clip(subject))
    assert dict(score_inputs(probe, energy.ravel(), energy.ravel()))["like_energy"] == pytest.approx(1)
    rises = np.diff(energy, axis=1, prepend=0).clip(min=0)
    assert dict(score_inputs(probe, rises.ravel(), energy.ravel()))["like_onsets"] == pytest.approx(1)


def test_maps_that_are_not_finite_are_not_compared():
    subject = make_subject()
    clip = make_clip(subject)
    broken = make_map(subject, clip, np.full((8, 40), np.nan))
    found = list(score_sanity(subject, [make_probe(subject, clip)], [make_exact(subject, clip)], lambda *_: broken, 0))
    assert not [metric for _, metric, _ in found if metric.startswith("random_weights")]


def test_nulls_of_a_network_include_it_untrained_and_those_of_others_do_not():
    assert [null.name for null in make_nulls(REAL, CLIPS, 0)] == ["random", "energy", "vad", "untrained"]
    subject = Subject(("a", "b"), 16000, ask=lambda waves: np.zeros((len(waves), 2)))
    assert [null.name for null in make_nulls(subject, CLIPS, 0)] == ["random", "energy", "vad"]


def test_the_untrained_null_knows_nothing_of_the_model():
    null = list(make_nulls(REAL, CLIPS, 0))[-1]
    changed = make_real("mel_cnn_small")
    torch.nn.init.normal_(changed.network.whole.top.layers[-1].weight)
    assert np.array_equal(null.explain(REAL, CLIPS[0]).values, null.explain(changed, CLIPS[0]).values)
