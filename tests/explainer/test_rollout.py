from copy import deepcopy

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from toy_subjects import (
    EMOTIONS,
    RATE,
    TRANSFORMERS,
    OneTokenAttention,
    find_peak,
    listen_to_token,
    make_events,
    make_explainer,
    make_real,
    make_waves,
)
from transformers import Wav2Vec2Model

from ser.errors import InputError
from ser.explainer.rollout import KeepAttention, attend, roll_out
from ser.explainer.subject import Subject


def explain(subject, inputs, classes=None, **changes):
    explainer = make_explainer("attention_rollout", **changes)
    explainer.check(subject)
    return explainer.explain(
        subject, inputs, torch.zeros(len(inputs), dtype=torch.long) if classes is None else classes
    )


@pytest.mark.parametrize("backbone", TRANSFORMERS)
def test_all_transformers_yield_shares_of_tokens_and_stay_as_they_are(backbone):
    subject = make_real(backbone)
    inputs = subject.encode(make_waves(2))
    before = subject.score(inputs)
    found = explain(subject, inputs)
    assert found.values.shape == (2, len(found.grid.times)) and found.grid.freqs is None
    assert (found.values > 0).all() and torch.allclose(found.values.sum(1), torch.ones(2), atol=1e-5)
    assert found.values.std() > 0
    assert (found.forwards, found.backwards) == (2, 2)
    assert subject.score(inputs).equal(before)
    assert not any(weight.requires_grad for weight in subject.network.parameters())
    alone = explain(subject, inputs[1:])
    assert torch.allclose(found.values[1:], alone.values, rtol=1e-4)
    assert torch.allclose(found.values, explain(subject, inputs, max_batch=1).values, rtol=1e-4)
    assert make_explainer("attention_rollout").diagnostic


@pytest.mark.parametrize("backbone", TRANSFORMERS)
def test_watching_attention_does_not_change_what_a_network_says(backbone):
    subject = make_real(backbone)
    inputs = subject.encode(make_waves(2))
    plain = subject.score(inputs)
    with KeepAttention() as kept:
        watched = subject.score(inputs)
    assert torch.allclose(plain, watched, atol=1e-5)
    assert len(kept.weights) == 3
    for weights in kept.weights:
        assert torch.allclose(weights.sum(-1), torch.ones_like(weights.sum(-1)), atol=1e-5)


def test_weights_are_those_that_transformers_reports():
    subject = make_real("tiny_wav2vec2_layer_norm", "backbone.normalise=false")
    inputs = make_waves(1)
    eager = Wav2Vec2Model(deepcopy(subject.trunk.model.config)).eval()
    eager.load_state_dict(subject.trunk.model.state_dict())
    eager.set_attn_implementation("eager")
    with torch.no_grad():
        expected = eager(inputs, output_attentions=True).attentions
    with KeepAttention() as kept:
        subject.score(inputs)
    for own, other in zip(kept.weights, expected, strict=True):
        assert torch.allclose(own, other, atol=1e-4)


@pytest.mark.parametrize("mask", [None, "bool", "float", "causal"])
def test_attention_is_that_of_torch(mask):
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, 5, 4, generator=generator) for _ in range(3))
    options = {
        None: {},
        "bool": {"attn_mask": torch.rand(5, 5, generator=generator) > 0.3},
        "float": {"attn_mask": torch.randn(5, 5, generator=generator), "scale": 0.3},
        "causal": {"is_causal": True},
    }[mask]
    if mask == "bool":
        options["attn_mask"].fill_diagonal_(True)
    assert torch.allclose(
        attend(query, key, value, **options)[0], scaled_dot_product_attention(query, key, value, **options), atol=1e-6
    )


def test_flow_is_the_product_of_half_attention_and_half_the_token_itself():
    first, second = (
        torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(seed)).softmax(-1) for seed in (0, 1)
    )
    own = torch.eye(4)
    expected = (0.5 * own + 0.5 * second.mean(1)) @ (0.5 * own + 0.5 * first.mean(1))
    assert torch.allclose(roll_out([first, second], 0.5), expected)
    assert torch.allclose(roll_out([first], 0.0), first.mean(1))


def test_layers_above_what_the_head_reads_do_not_count():
    inputs = make_waves(1)
    lower, whole = make_real("tiny_hubert", "backbone.layer=1"), make_real("tiny_hubert")
    with KeepAttention() as kept:
        whole.score(inputs)
    assert torch.allclose(explain(lower, inputs).values, roll_out(kept.weights[:1], 0.5).mean(1), rtol=1e-4)
    with pytest.raises(InputError, match="hears none"):
        explain(make_real("tiny_hubert", "backbone.layer=0"), inputs)


@pytest.mark.parametrize("when", [0.21, 0.61])
def test_a_network_that_attends_to_one_instant_is_explained_by_it(when):
    subject = listen_to_token(when, OneTokenAttention)
    inputs = make_events(when, decoy=0.8)
    peak, step = find_peak(subject, inputs, explain(subject, inputs))
    assert abs(peak - when) <= step


@pytest.mark.parametrize(
    ("backbone", "reason"),
    [("mel_cnn_small", "no transformer"), ("tiny_byol", "no transformer"), ("tiny_cvt", "every second")],
)
def test_networks_without_a_product_of_attention_are_refused(backbone, reason):
    with pytest.raises(InputError, match=reason):
        explain(make_real(backbone), None)


def test_a_model_without_gradients_is_refused():
    with pytest.raises(InputError, match="needs gradients"):
        explain(Subject(EMOTIONS, RATE, ask=lambda waves: waves), None)
    with pytest.raises(Exception, match=r"explainer\.residual"):
        make_explainer("attention_rollout", residual=1.0)
