import numpy as np
import pytest
import torch
from evaluation_tools import make_clip, make_evaluation, make_exact, make_map, make_probe, make_subject

from ser.explainer.evaluation.faithfulness import score_faithfulness
from ser.explainer.evaluation.oracle import group_cells, make_candidates, search_best
from ser.explainer.evaluation.probe import CellSize, Probe
from ser.explainer.subject import Subject

SUBJECT = make_subject()
CLIP = make_clip(SUBJECT)


def score(maps, probe=None, **changes):
    probe = probe or make_probe(SUBJECT, CLIP)
    known = make_evaluation(**changes).measure(probe)
    found = {}
    for method, metric, value in score_faithfulness(probe, known, maps, 8, 0.5):
        found.setdefault(method, {})[metric] = value
    return found


def test_the_exact_map_of_an_additive_model_has_the_best_scores_there_are():
    probe = make_probe(SUBJECT, CLIP)
    exact = probe.project(make_exact(SUBJECT, CLIP))
    noise = np.random.default_rng(1).normal(size=len(exact))
    found = score({"exact": exact, "turned": -exact, "noise": noise, "known": make_evaluation().measure(probe).best})
    best = found["exact"]
    assert best["sensitivity_n"] == pytest.approx(1, abs=1e-4) and best["infidelity"] == pytest.approx(0, abs=1e-4)
    for metric in ("insertion_deletion", "insertion_auc", "comprehensiveness"):
        assert best[metric] > found["noise"][metric] > found["turned"][metric]
    for metric in ("deletion_auc", "sufficiency", "infidelity"):
        assert best[metric] < found["noise"][metric]
    assert found["turned"]["insertion_deletion"] == pytest.approx(-best["insertion_deletion"], abs=1e-4)
    assert found["turned"]["sensitivity_n"] == pytest.approx(-1, abs=1e-4) and found["turned"]["infidelity"] == 1
    assert found["known"]["insertion_deletion"] == pytest.approx(best["insertion_deletion"], abs=1e-4)


def test_scores_name_their_fill_and_silence_is_no_headline():
    exact = make_probe(SUBJECT, CLIP).project(make_exact(SUBJECT, CLIP))
    found = score({"exact": exact}, fills=("mean_spec", "noise", "silence"))["exact"]
    assert {"deletion_auc/noise", "deletion_auc/mean_spec", "deletion_auc/silence"} < set(found)
    assert found["deletion_auc"] == pytest.approx((found["deletion_auc/noise"] + found["deletion_auc/mean_spec"]) / 2)


def test_curves_without_a_unit_are_not_scored():
    flat = make_subject(np.full((8, 40), 1e-6))
    clip = make_clip(flat)
    probe = make_probe(flat, clip)
    found = score({"a": np.arange(float(probe.cells.count))}, probe)["a"]
    assert "insertion_deletion" not in found and "sensitivity_n" in found


def test_maps_are_scored_alike_alone_and_together():
    probe = make_probe(SUBJECT, CLIP)
    maps = {"a": probe.project(make_exact(SUBJECT, CLIP)), "b": np.arange(float(probe.cells.count))}
    together = score(maps)
    assert together["b"] == pytest.approx(score({"b": maps["b"]})["b"], abs=1e-5)


def test_every_pass_through_the_model_is_counted():
    heard = []
    network = SUBJECT.network
    hook = network.register_forward_hook(lambda _, arguments, __: heard.append(len(arguments[0])))
    probe = make_probe(SUBJECT, CLIP)
    score({"a": np.random.default_rng(0).normal(size=probe.cells.count)}, probe)
    hook.remove()
    backwards = 2 * 16  # counted as passes, for paths to one fill
    assert sum(heard) == probe.forwards - backwards


def test_models_without_gradients_that_hear_waveforms():
    """Loudness of the first half decides."""

    def ask(waves):
        level = 400 * np.square(waves[:, :4000]).mean(1)
        return np.stack([level, 2 - level], 1)

    subject = Subject(("loud", "soft"), 16000, ask=ask)
    waves = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    clip = make_clip(SUBJECT)
    clip = type(clip)(**{**vars(clip), "inputs": waves, "waveform": waves[0].numpy()})
    probe = Probe(subject, clip, CellSize(0.05).cut(subject, clip), 0)
    first = np.where(np.arange(10) < 5, 1.0, 0.0)
    found = score({"first": first, "last": 1 - first}, probe, fills=("silence",))
    assert found["first"]["insertion_deletion/silence"] > 0.3 > -0.3 > found["last"]["insertion_deletion/silence"]
    assert found["first"]["sensitivity_n/silence"] > 0.9
    best = make_evaluation(fills=("silence",)).measure(probe).best
    assert best[:5].min() > best[5:].max()


def test_neighbours_are_grouped_until_there_are_few_groups():
    for shape in ((8, 56), (8, 122), (300,), (4, 3), (1, 700)):
        groups = group_cells(shape)
        assert len(groups) == np.prod(shape) and 0 < groups.max() < 128
        assert set(groups) == set(range(groups.max() + 1))
    assert group_cells((4, 3)).tolist() == list(range(12))
    assert group_cells((2, 4), most=2).reshape(2, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]


def test_all_candidates_find_the_effects_of_an_additive_model():
    probe = make_probe(SUBJECT, CLIP)
    known = make_evaluation(masks=256).measure(probe)
    exact = probe.project(make_map(SUBJECT, CLIP, make_exact(SUBJECT, CLIP).values))
    for candidate in make_candidates(probe, known, ["mean_spec"]):
        assert np.corrcoef(candidate, exact)[0, 1] > 0.95
    assert np.corrcoef(search_best(probe, known, 8, 0.5), exact)[0, 1] > 0.95
