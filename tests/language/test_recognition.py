import pytest
import torch
from torch.nn.functional import ctc_loss

from ser.language.recognition import CTC, NOTHING, measure_errors, read_greedily
from ser.language.texts import Vocabulary


def make_batch(frames=(9, 6, 7), texts=((1, 2, 3), (4, 4), (2,)), tokens=6, seed=0):
    torch.manual_seed(seed)
    logits = torch.randn(len(frames), max(frames) + 2, tokens, requires_grad=True)
    targets = torch.full((len(texts), max(map(len, texts)) + 1), NOTHING)
    for row, text in zip(targets, texts, strict=True):
        row[: len(text)] = torch.tensor(text)
    return logits, torch.tensor(frames), targets


def test_the_loss_is_that_of_torch():
    logits, frames, targets = make_batch()
    paths = logits.log_softmax(-1).transpose(0, 1)
    expected = ctc_loss(paths, targets.clamp(min=0), frames, torch.tensor([3, 2, 1]), blank=0)
    loss = CTC()
    torch.testing.assert_close(loss((logits, frames), targets), expected)
    assert loss.left_out == 0


def test_padding_and_neighbours_do_not_matter():
    logits, frames, targets = make_batch()
    each = [
        CTC()((logits[n : n + 1, :length], frames[n : n + 1]), targets[n : n + 1]) for n, length in enumerate(frames)
    ]
    torch.testing.assert_close(CTC()((logits, frames), targets), torch.stack(each).mean())


@pytest.mark.parametrize("texts", [((1, 2, 3), (4, 4, 4, 4), (2,)), ((1, 2, 3), (), (2,))])
def test_a_text_without_a_path_is_left_out_and_counted(texts):
    # Four alike need seven frames; there are six.
    logits, frames, targets = make_batch(texts=texts)
    loss = CTC()
    value = loss((logits, frames), targets)
    value.backward()
    assert loss.left_out == 1 and torch.isfinite(value)
    assert logits.grad[1].abs().max() == 0 and logits.grad[0].abs().max() > 0
    kept = [0, 2]
    torch.testing.assert_close(value, CTC()((logits[kept], frames[kept]), targets[kept]))
    loss.eval()((logits, frames), targets)
    assert loss.left_out == 1  # validation is not counted


def test_a_batch_without_any_path_gives_no_gradient():
    logits, frames, targets = make_batch(frames=(1, 1, 1), texts=((1, 2),) * 3)
    loss = CTC()
    value = loss((logits, frames), targets)
    value.backward()
    assert value == 0 and logits.grad.abs().max() == 0 and loss.left_out == 3


def test_the_loss_works_where_algorithms_must_be_deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        logits, frames, targets = make_batch()
        CTC()((logits, frames), targets).backward()
    finally:
        torch.use_deterministic_algorithms(False)


def test_reading_stops_at_the_end_of_the_clip():
    vocabulary = Vocabulary.build(["ab"])
    a, b = vocabulary.encode("ab")
    logits = torch.zeros(2, 4, len(vocabulary))
    for clip, path in enumerate([[a, 0, b, b], [b, b, a, a]]):
        logits[clip, range(4), path] = 1
    assert read_greedily(logits, torch.tensor([4, 2]), vocabulary) == ["ab", "b"]


def test_error_rates_count_over_all_clips():
    pairs = [("la casa", "la cosa"), ("pane", ""), ("sì", "sì no")]
    rates = measure_errors(pairs)
    assert rates["cer"] == pytest.approx((1 + 4 + 3) / (7 + 4 + 2))
    assert rates["wer"] == pytest.approx((1 + 1 + 1) / (2 + 1 + 1))
