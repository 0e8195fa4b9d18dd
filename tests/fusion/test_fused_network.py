"""Networks on two branches: what they can learn, what is dropped in training, and that clips do not see each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fusion_tools import RULES, fit, make_part, make_trunk

from ser.fused import FusedModel
from ser.fusion.concat import Concat
from ser.fusion.late import Late
from ser.fusion.network import State
from ser.head.losses import CCCLoss
from ser.head.network import NetworkHead

LEARN_BOTH = ("concat", "gated", "cross_attention")


@pytest.mark.parametrize("rule", RULES)
def test_whether_word_and_tone_agree_is_learnt_by_all_but_late_fusion(rule, tmp_path):
    model, trunk, head = fit(tmp_path, RULES[rule], make_part(), epochs=30)
    test = make_part(60, seed=1)
    found = model.predict(test)
    right = np.mean(found.predicted == test.emotions)
    assert right > 0.95 if rule in LEARN_BOTH else right < 0.7
    model.save(tmp_path)
    again = head.load(tmp_path, trunk).predict(test)
    np.testing.assert_array_equal(again.probabilities, found.probabilities)


@pytest.mark.parametrize("rule", RULES)
def test_a_pair_yields_alone_what_it_yields_in_a_batch(rule, tmp_path):
    model, trunk, _ = fit(tmp_path, RULES[rule], make_part(), epochs=2)
    test = make_part(40, seed=1)
    together = model.predict(test).probabilities
    alone = np.concatenate([model.predict(test.take(np.array([row]))).probabilities for row in range(len(test))])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    fused = FusedModel(trunk, model, test.preparation, "cpu")
    audio, text = fused.encode_part(test)
    rows = np.random.default_rng(0).permutation(40)
    outputs = fused.fuse(audio.take(rows), text.take(rows))
    np.testing.assert_allclose(torch.from_numpy(outputs).softmax(-1), together[rows], atol=1e-6)
    crossed = fused.fuse(audio.take([3, 3]), text.take([5, 3]))
    np.testing.assert_allclose(torch.from_numpy(crossed[1:]).softmax(-1), together[[3]], atol=1e-6)
    assert not np.allclose(crossed[0], crossed[1])
    with pytest.raises(ValueError, match="one by one"):
        fused.fuse(audio, text.take([0]))


@pytest.mark.parametrize("rule", LEARN_BOTH)
def test_what_was_dropped_changes_nothing_and_padding_neither(rule):
    trunk = make_trunk(RULES[rule])
    network = NetworkHead(hidden=[4]).build(2, trunk.find_shape(make_part().features), trunk).eval()
    draw = torch.Generator().manual_seed(0)
    size, lengths = (3, 2), torch.tensor([4, 2])

    def make(width, extra=0):
        if rule == "cross_attention":
            return State(torch.randn(2, 4 + extra, width, generator=draw), lengths)
        return State(torch.randn(2, width, generator=draw), torch.ones(2, dtype=torch.long))

    audio, text, other = make(size[0]), make(size[1]), make(size[1])
    kept = torch.tensor([True, False])
    one, two = network.fuse(audio, text.keep(kept)), network.fuse(audio, State(other.data, text.lengths).keep(kept))
    assert torch.isfinite(one).all()
    torch.testing.assert_close(one[1], two[1])
    assert not torch.allclose(one[0], two[0])
    nothing_heard = network.fuse(audio.keep(~kept), text)
    torch.testing.assert_close(nothing_heard[0], network.fuse(make(size[0]).keep(~kept), text)[0])
    if rule == "cross_attention":
        longer = State(torch.cat([text.data, torch.full((2, 3, size[1]), 7.0)], dim=1), lengths)
        torch.testing.assert_close(network.fuse(audio, longer), network.fuse(audio, text))


def test_one_modality_of_some_training_clips_is_dropped_and_never_both():
    trunk = make_trunk(Concat(dropout={"audio": 0.3, "text": 0.2}))
    network = NetworkHead().build(2, trunk.find_shape(make_part().features), trunk)
    ones = State(torch.ones(20000, 2), torch.ones(20000, dtype=torch.long))
    torch.manual_seed(0)
    audio, text = network.drop(ones, ones)
    heard, read = audio.data.any(1), text.data.any(1)
    assert (heard | read).all()
    assert (~heard).float().mean() == pytest.approx(0.3, abs=0.02)
    assert (~read).float().mean() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(heard.long(), audio.lengths)
    heard, read = (State(torch.ones(500, width), torch.ones(500, dtype=torch.long)) for width in (3, 2))
    assert len(network.fuse(heard, read).unique(dim=0)) == 3
    assert len(network.eval().fuse(heard, read).unique(dim=0)) == 1


def test_dense_layers_of_a_branch_are_its_own():
    shape = make_trunk(Concat()).find_shape(make_part().features)
    plain = make_trunk(Concat())
    dense = make_trunk(Concat(hidden={"audio": [7, 5], "text": []}, layer_dropout=0.1))
    counts = [NetworkHead().build(2, shape, trunk).count_parameters()["total"] for trunk in (plain, dense)]
    assert counts == [5 * 2 + 2, (3 * 7 + 7) + (7 * 5 + 5) + (7 * 2 + 2)]
    assert [trunk.learns for trunk in (plain, dense)] == [False, True]


def test_the_weight_of_late_fusion_is_the_validation_clips(tmp_path):
    train, validation = make_part(seed=0), make_part(60, seed=1)
    for part in (train, validation):  # the emotion is what is said
        said = np.array([clip[:, 1].mean() > 0 for clip in part.features.text])
        part.frame["emotion"] = np.where(said, "anger", "neutral")
    stopping = {"monitor": "val/uar", "mode": "max", "patience": 20}
    model, trunk, head = fit(tmp_path, Late(weight="validation"), train, validation, epochs=8, early_stopping=stopping)
    assert float(model.network.weight) < 0.1
    model.save(tmp_path)
    assert float(head.load(tmp_path, trunk).network.weight) == float(model.network.weight)
    # A branch learns what it would learn alone: of what is heard, nothing.
    assert np.mean(model.predict(validation).predicted == validation.emotions) > 0.95
    with torch.no_grad():
        model.network.weight.fill_(1.0)
    assert np.mean(model.predict(validation).predicted == validation.emotions) < 0.75


def test_late_fusion_averages_probabilities():
    trunk = make_trunk(Late(weight=0.25))
    network = NetworkHead().build(3, trunk.find_shape(make_part().features), trunk)
    one, two = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    mean = 0.25 * one.softmax(-1) + 0.75 * two.softmax(-1)
    torch.testing.assert_close(network.average(one, two, network.weight).softmax(-1), mean)
    for weight, alone in ((0.0, two), (1.0, one)):
        torch.testing.assert_close(network.average(one, two, torch.tensor(weight)).exp(), alone.softmax(-1))


@pytest.mark.parametrize("rule", ["gated", "late"])
def test_numbers_are_predicted_from_both(rule, tmp_path):
    def rate(part):
        heard = np.array([clip[:, 0].mean() for clip in part.features.audio])
        read = np.array([clip[:, 1].mean() for clip in part.features.text])
        return replace(part, targets=(3 + heard + read)[:, None], dimensions=("arousal",))

    train, validation = rate(make_part()), rate(make_part(60, seed=1))
    rules = {"gated": RULES["gated"], "late": Late(weight="validation")}
    stopping = {"monitor": "val/ccc", "mode": "max", "patience": 30}
    model, trunk, head = fit(tmp_path, rules[rule], train, validation, epochs=15, loss=CCCLoss, early_stopping=stopping)
    found = model.predict(validation).predicted
    assert np.corrcoef(found[:, 0], validation.targets[:, 0])[0, 1] > 0.9
    model.save(tmp_path)
    fused = FusedModel(trunk, head.load(tmp_path, trunk), train.preparation, "cpu")
    np.testing.assert_allclose(fused.fuse(*fused.encode_part(validation)), found, atol=1e-5)
    assert rule != "late" or 0.3 < float(model.network.weight) < 0.7
