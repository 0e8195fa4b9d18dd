import pytest

from ser.errors import InputError
from ser.prediction.options import read_options


def test_values_stay_as_they_were_typed():
    options = read_options("predict", ["run=a: b", "fold=03", "audio=my clips/*.wav", "explain=true", "out=null"])
    own = options.own
    assert (own.run, own.fold, own.audio, own.explain, own.out) == ("a: b", "03", "my clips/*.wav", True, None)
    assert list(read_options("predict", ["audio=[a.wav,b c.wav]"]).own.audio) == ["a.wav", "b c.wav"]
    assert list(read_options("export", ["export.format=[torch,onnx]"]).own.export.format) == ["torch", "onnx"]
    assert list(read_options("export", ["export.format=torch"]).own.export.format) == ["torch"]


def test_groups_of_explain_are_admitted_where_they_mean_something():
    options = read_options("predict", ["explainer=lrp", "tracking.experiment=mine"])
    assert options.present.tracking.experiment == "mine" and "lrp" in options.present.explainer._target_.lower()


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("windw=3", "did you mean window=…"),
        ("explain=perhaps", "true or false"),
        ("audio=[a", "no list"),
        ("export=x", "no such option"),
        ("explain_eval=none", "no such option"),
        ("tracking.urii=x", "urii"),
        ("run", "no such option"),
        ("exlainer=lrp", "did you mean explainer=…"),
    ],
)
def test_what_is_no_option_is_refused(argument, words):
    with pytest.raises(InputError, match=words):
        read_options("predict", [argument])
