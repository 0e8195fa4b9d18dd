import pytest
from hydra.errors import HydraException

from ser.config import compose
from ser.suggest import guess, list_keys, list_names, suggest


@pytest.mark.parametrize(
    ("arguments", "problem", "expected"),
    [
        (["head=svn"], "head=svn: no such choice; did you mean svr or svm?", "linear"),
        (["audio/trim=energi"], "audio/trim=energi: no such choice; did you mean energy?", "vad"),
        (["data.train=[emodbb]"], "dataset=emodbb: no such choice; did you mean emodb?", "emovo"),
        (["heads=svm"], "heads: no such key or group; did you mean head?", "backbone"),
        (["sed=1"], "sed: no such key or group; did you mean seed?", "seed"),
        (["lr=1"], "lr: no such key or group; did you mean head.lr or optimizer.lr?", "class_weight"),
        (
            ["head=svm", "head.tunee=true"],
            "head.tunee: head=svm has no such key; did you mean head.tune?",
            "head.inner_folds",
        ),
        (
            ["trainer.max_epoch=3"],
            "trainer.max_epoch: trainer=default has no such key; did you mean trainer.max_epochs?",
            "trainer.mixup",
        ),
        (["~hed"], "hed: no such key or group; did you mean head?", "head"),
        (["head.xyzzyx=1"], "head.xyzzyx: head=linear has no such key", "head.dropout"),
    ],
)
def test_what_was_meant(arguments, problem, expected):
    with pytest.raises(HydraException) as raised:
        compose(arguments)
    found = str(suggest(raised.value, "train", ["-m", *arguments]))
    first, *rest = found.splitlines()
    assert first == problem and f"{expected}," in rest[0] + ","
    assert "`ser " in rest[-1]


def test_other_errors_are_left_alone():
    for text in ("mismatched input '='", "Could not override 'head@x'.\nDid you mean to override head?"):
        assert suggest(HydraException(text), "train", []) is None


def test_keys_are_those_of_the_choices_made():
    known, choices = list_keys("train", ["head=svm,mlp", "head.tune=false", "seed=3"])
    assert choices["head"] == "svm" and choices["backbone"] == "egemaps"
    assert "head.tune" in known and "head.hidden" not in known and "dataset.variant.root" in known
    assert list_keys("train", ["head=nothing"]) == ([], {})
    assert list_names({"a": {"b": 1}, "c": []}) == ["a", "a.b", "c"]


def test_a_key_further_down_is_meant_where_nothing_is_spelt_alike():
    assert guess("lr", ["head.lr", "head.layers"]) == "head.lr"
    assert guess("seeds", ["seed", "x.seeds"]) == "seed"
    assert guess("q", ["seed"]) == ""
