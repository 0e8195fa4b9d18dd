"""LRP as a choice: on every kind of network, with what tells how far to trust it."""

import pytest
import torch
from torch import nn
from toy_subjects import EMOTIONS, RATE, SPECTROGRAMS, WAVEFORMS, make_explainer, make_real, make_waves

from ser.errors import InputError
from ser.explainer.lrp import LRP
from ser.explainer.subject import Subject

CLASSES = torch.tensor([0, 2])


@pytest.mark.parametrize("choice", [*WAVEFORMS, *SPECTROGRAMS])
def test_explains_every_kind_of_network(choice):
    subject, explainer = make_real(choice), make_explainer("lrp")
    assert explainer == LRP()
    explainer.check(subject)
    inputs = subject.encode(make_waves())
    found = explainer.explain(subject, inputs, CLASSES)
    assert found.values.shape == inputs.shape and not found.values.requires_grad
    assert found.values.isfinite().all() and found.reasons == [[], []]
    assert (found.forwards, found.backwards) == (4, 2)
    assert {name: tuple(array.shape) for name, array in found.extras.items()} == {
        "start": (2,),
        "bias_share": (2,),
        "peak": (2,),
    }


def test_clips_do_not_mind_how_they_are_batched():
    subject = make_real("mel_cnn_small")
    inputs = subject.encode(make_waves(3))
    together = LRP().explain(subject, inputs, torch.tensor([0, 1, 2]))
    apart = LRP(max_batch=1).explain(subject, inputs, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(together.values, apart.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(together.extras["peak"], apart.extras["peak"], rtol=1e-4, atol=1e-6)


def test_choices_make_a_difference():
    subject = make_real("tiny_whisper")
    inputs = subject.encode(make_waves())
    maps = [
        make_explainer("lrp", **changes).explain(subject, inputs, CLASSES).values
        for changes in ({}, {"rule_conv": "epsilon"}, {"attention": "cplrp"}, {"start": "logit"}, {"gamma": 2})
    ]
    for place, one in enumerate(maps):
        for other in maps[:place]:
            assert not torch.allclose(one, other, rtol=1e-3)


def test_network_with_a_module_without_a_rule_is_refused_before_it_runs():
    network = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(8, 8), nn.Softplus()), nn.Linear(8, 3))
    with pytest.raises(InputError, match=r"1\.1 \(Softplus\)"):
        LRP().check(Subject(EMOTIONS, RATE, network))


def test_model_without_gradients_is_refused():
    with pytest.raises(InputError, match="explainer=lrp"):
        LRP().check(Subject(EMOTIONS, RATE, ask=lambda waveforms: waveforms))


def test_silence_has_no_relevance_and_says_so():
    subject = make_real("tiny_wav2vec2")
    found = LRP().explain(subject, torch.zeros(1, 8000), CLASSES[:1])
    assert found.reasons == [["no relevance reaches the inputs"]]
