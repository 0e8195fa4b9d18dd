"""CRP as a choice: sums of its maps, choice of channels from data, and layers."""

import pytest
import torch
from hydra.utils import instantiate
from torch import nn
from toy_subjects import RATE, SPECTROGRAMS, WAVEFORMS, make_real, make_waves

from ser.backbone.base import Tokens
from ser.config import compose
from ser.errors import InputError
from ser.explainer.crp import CRP, ConceptChoice
from ser.explainer.lrp import LRP
from ser.explainer.subject import Subject

CLASSES = torch.tensor([0, 2])
ALL = ConceptChoice("relevance_clip", top=10**6)


@pytest.mark.parametrize("choice", [*WAVEFORMS, *SPECTROGRAMS])
def test_all_channels_together_are_lrp(choice):
    subject = make_real(choice)
    inputs = subject.encode(make_waves()).double()
    subject.network.double()
    whole = LRP().explain(subject, inputs, CLASSES)
    found = CRP(concepts=ALL).explain(subject, inputs, CLASSES)
    torch.testing.assert_close(found.values, whole.values, rtol=1e-6, atol=1e-6 * float(whole.values.abs().max()))
    torch.testing.assert_close(found.extras["kept"], torch.ones(2, dtype=torch.float64))
    count = found.extras["channels"].shape[1]
    cells = subject.project(inputs).shape[1:]
    assert found.extras["concepts"].shape == (2, count, *cells)
    torch.testing.assert_close(found.extras["concepts"].sum(1), subject.project(whole.values), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("choice", ["mel_cnn_small", "tiny_wavlm"])
def test_values_are_those_of_the_chosen_channels(choice):
    subject, explainer = make_real(choice), CRP(concepts=ConceptChoice("relevance_clip", 3))
    explainer.check(subject)
    inputs = subject.encode(make_waves())
    found = explainer.explain(subject, inputs, CLASSES)
    assert found.extras["channels"].shape == (2, 3)
    torch.testing.assert_close(found.extras["concepts"].sum(1), subject.project(found.values), rtol=1e-4, atol=1e-6)
    assert ((found.extras["kept"] > 0) & (found.extras["kept"] < 1)).all()
    size = found.extras["concept_relevance"].abs()
    assert (size[:, :-1] >= size[:, 1:]).all()
    assert found.extras["stability"].isnan().all()
    assert (found.forwards, found.backwards) == (4, 8)


def test_configuration_says_what_the_code_does():
    explainer = instantiate(compose(["explainer=crp"], "explain").explainer)
    assert explainer == CRP()


class ByChannel(nn.Module):
    """Two channels that hear the two halves of a waveform, two that hear nothing that counts."""

    rate = RATE
    tokens = Tokens(0.0, 0.1)

    def __init__(self):
        super().__init__()
        self.block = nn.Identity()

    @property
    def blocks(self):
        return (self.block,)

    def forward(self, waves):
        early, late = waves.chunk(2, dim=1)
        frames = self.block(torch.stack([late.relu(), 0 * late, early.relu(), 0 * early], -1))
        return torch.stack([frames[..., 0].sum(1), frames[..., 2].sum(1)], 1)


@pytest.fixture
def halves():
    trunk = ByChannel()
    return Subject(("late", "early"), RATE, trunk, trunk=trunk)


def test_channels_are_chosen_on_validation_clips(halves):
    explainer = CRP(start="logit", concepts=ConceptChoice(top=1))
    clips = [wave[None] for wave in make_waves(6, seconds=0.1)]
    chosen = explainer.select(halves, clips, torch.tensor([0, 1, 0, 1, 0, 1]))
    assert {label: one.channels.tolist() for label, one in chosen.items()} == {0: [0], 1: [2]}
    found = explainer.explain(halves, make_waves(2, seconds=0.1, seed=5), torch.tensor([0, 1]))
    assert found.extras["channels"].tolist() == [[0], [2]]
    assert found.extras["stability"].tolist() == [[1.0], [1.0]]
    assert not found.values[0, :800].any() and not found.values[1, 800:].any()


def test_clips_choose_where_there_were_no_validation_clips(halves, caplog):
    explainer = CRP(start="logit", concepts=ConceptChoice(top=1))
    explainer.select(halves, [make_waves(1, seconds=0.1)], torch.tensor([0]))
    found = explainer.explain(halves, make_waves(2, seconds=0.1), torch.tensor([0, 1]))
    assert found.extras["channels"].tolist() == [[0], [2]]
    assert found.extras["stability"].isnan().tolist() == [[False], [True]]
    assert "no validation clips" in caplog.text


def test_what_was_chosen_for_one_subject_is_not_taken_for_another(halves):
    explainer = CRP(start="logit", concepts=ConceptChoice(top=1))
    explainer.select(halves, [make_waves(1, seconds=0.1)], torch.tensor([0]))
    other = halves.copy()
    assert explainer.explain(other, make_waves(1, seconds=0.1), torch.tensor([0])).extras["stability"].isnan().all()


def test_layer_is_the_middle_block_or_one_by_number():
    subject = make_real("tiny_wav2vec2")
    inputs = subject.encode(make_waves())

    def find(layer):
        return CRP(layer=layer, concepts=ConceptChoice("relevance_clip", 2)).explain(subject, inputs, CLASSES)

    auto, middle, last = find("auto"), find(1), find(-1)
    torch.testing.assert_close(auto.values, middle.values)
    assert not torch.allclose(auto.values, last.values)


def test_layer_that_the_head_does_not_hear_is_refused():
    subject = make_real("tiny_wav2vec2", "backbone.layer=1")
    inputs = subject.encode(make_waves())
    with pytest.raises(InputError, match="does not hear"):
        CRP(layer=2).explain(subject, inputs, CLASSES)
    CRP().explain(subject, inputs, CLASSES)
    with pytest.raises(InputError, match="none of the network's blocks"):
        CRP().explain(make_real("tiny_wav2vec2", "backbone.layer=0"), inputs, CLASSES)


def test_unknown_choices_are_refused(halves):
    with pytest.raises(InputError, match="select"):
        ConceptChoice("by_hand")
    with pytest.raises(InputError, match="top"):
        ConceptChoice(top=0)
    with pytest.raises(InputError, match="layer"):
        CRP(layer="middle")
    with pytest.raises(InputError, match="layer"):
        CRP(layer=7).check(halves)
