import pytest

from ser.config import compose
from ser.errors import InputError
from ser.paths import find_shipped
from ser.values import check_values


def check(*overrides):
    check_values(compose(list(overrides)), overrides, find_shipped("conf") / "train.yaml")


@pytest.mark.parametrize(
    ("choices", "item", "expected"),
    [
        ([], "seed=abc", "a number"),
        (["head=mlp"], "head.dropout=lots", "a number"),
        ([], "optimizer.lr=fast", "a number"),
        ([], "trainer.max_epochs='many'", "a number"),
        (["head=svm"], "head.tune=yes_please", "true or false"),
    ],
)
def test_a_word_for_a_number_is_refused(choices, item, expected):
    with pytest.raises(InputError) as raised:
        check(*choices, item)
    assert item in str(raised.value) and expected in str(raised.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=1", "optimizer.lr=1e-3", "trainer.max_epochs=2"],
        ["dataset.name=mine", "dataset.root=somewhere", "tracking.experiment=demo"],
        ["backbone=whisper_tiny_en", "backbone.layer=mix"],
        ["class_weight=heavy"],  # follows the head: whoever reads it says what it may be
        ["trainer.devices=auto", "seed=${split.seed}"],
        ["head=mlp", "head.dropout=null"],
    ],
)
def test_others_pass(overrides):
    check(*overrides)
