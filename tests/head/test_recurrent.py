"""Recurrent poolings: equal to torch's networks on a clip alone, whatever stands beside it; branches by part."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.head.parts import PartsPooling
from ser.head.reading import Reading
from ser.head.recurrent import GRUPooling, LSTMPooling, RNNPooling

SIZE = 5
KINDS = {GRUPooling: nn.GRU, LSTMPooling: nn.LSTM, RNNPooling: nn.RNN}
each_kind = pytest.mark.parametrize("kind", KINDS)


def make_batch(lengths, padding=0, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths) + padding, SIZE, generator=draw), torch.tensor(lengths)


@each_kind
@pytest.mark.parametrize("options", [{}, {"hidden": 3, "layers": 2}, {"bidirectional": True}])
@torch.inference_mode()
def test_the_last_state_is_that_of_torch_on_each_clip_alone(kind, options):
    pooling = kind(SIZE, attention=False, **options).eval()
    reference = KINDS[kind](
        SIZE, options.get("hidden", SIZE), options.get("layers", 1), batch_first=True,
        bidirectional=options.get("bidirectional", False),
    )  # fmt: skip
    reference.load_state_dict(pooling.recurrent.state_dict())
    frames, lengths = make_batch([4, 7, 1], padding=3)
    found = pooling(frames, lengths)
    assert found.shape == (3, pooling.find_size(SIZE))
    for clip, length, vector in zip(frames, lengths, found, strict=True):
        outputs, state = reference(clip[None, :length])
        last = (state[0] if isinstance(state, tuple) else state)[-1 - options.get("bidirectional", False) :, 0]
        torch.testing.assert_close(vector, last.flatten())
        if not options.get("bidirectional"):
            torch.testing.assert_close(vector, outputs[0, -1])


@each_kind
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=4), padding=st.integers(0, 3), both=st.booleans(),
    attention=st.booleans(), data=st.data(),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
@torch.inference_mode()
def test_a_clip_does_not_depend_on_its_batch(kind, lengths, padding, both, attention, data):
    torch.manual_seed(1)
    pooling = kind(SIZE, hidden=3, bidirectional=both, attention=attention, scoring=4).eval()
    frames, counts = make_batch(lengths, padding)
    frames[torch.arange(frames.shape[1])[None] >= counts[:, None]] = torch.nan  # what lies beyond is never read
    order = data.draw(st.permutations(range(len(lengths))))
    together = pooling(frames[order], counts[order])
    for place, index in enumerate(order):
        alone = pooling(frames[index : index + 1, : lengths[index]], counts[index : index + 1])
        torch.testing.assert_close(together[place], alone[0], atol=1e-6, rtol=1e-5)


@torch.inference_mode()
def test_attention_weighs_a_clips_own_frames_over_time():
    pooling = GRUPooling(SIZE, hidden=4, scoring=3).eval()
    frames, lengths = make_batch([6, 2])
    weights = pooling.weigh(frames, lengths)[..., 0]
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    assert (weights[1, 2:] == 0).all() and (weights[0] > 0).all()
    outputs, _ = pooling.read(frames, lengths)
    torch.testing.assert_close(pooling(frames, lengths), (outputs * weights[..., None]).sum(1))
    with pytest.raises(InputError, match="no weights"):
        GRUPooling(SIZE, attention=False).weigh(frames, lengths)


@each_kind
@torch.inference_mode()
def test_the_order_of_frames_counts(kind):
    pooling = kind(SIZE, scoring=4).eval()
    frames, lengths = make_batch([6])
    assert not torch.allclose(pooling(frames, lengths), pooling(frames.flip(1), lengths), atol=1e-4)


def test_it_learns():
    pooling = LSTMPooling(SIZE, hidden=2, layers=2, dropout=0.5)
    frames, lengths = make_batch([5, 3])
    pooling(frames, lengths).sum().backward()
    assert all(weight.grad is not None for weight in pooling.parameters())


@pytest.mark.parametrize("options", [{"layers": 0}, {"hidden": 0}, {"dropout": 0.3}])
def test_sizes_that_cannot_be_are_refused(options):
    with pytest.raises(InputError, match=r"pooling.network"):
        GRUPooling(SIZE, **options)


@torch.inference_mode()
def test_each_part_of_a_frame_has_a_network_of_its_own():
    torch.manual_seed(0)
    reader = Reading(statistics=(), network=GRUPooling, by_part=True).build(SIZE, 1, (2, 3)).eval()
    assert isinstance(reader.pooling, PartsPooling) and reader.size == SIZE
    frames, lengths = make_batch([4, 2])
    found = reader([frames], lengths)
    one, other = reader.pooling.branches
    assert (one.recurrent.input_size, other.recurrent.hidden_size) == (2, 3)  # as many units as a part has numbers
    torch.testing.assert_close(found, torch.cat([one(frames[..., :2], lengths), other(frames[..., 2:], lengths)], -1))


def test_only_frames_with_parts_have_branches():
    trunk = build_trunk(compose(["backbone=sequences", "pooling=branches", "backbone.parts=[mel,mfcc]"]))
    assert trunk.parts == (128, 40) and trunk.reading.by_part
    with pytest.raises(InputError, match=r"(?s)frames of Whisper have no parts.*sequences.*pooling=gru"):
        build_trunk(compose(["backbone=tiny_whisper", "pooling=branches"]))
    with pytest.raises(InputError, match=r"(?s)by_part.*pooling=branches"):
        Reading(by_part=True)
