"""What may be searched over, how values are spelt, what is refused."""

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.hparams_search.settings import Search, check_space, choose_monitor
from ser.hparams_search.space import Choice, Range, join_names, read_space, spell_value


def read(text):
    return read_space(yaml.safe_load(text))


def test_names_are_nested_or_joined_by_dots():
    nested = read("{head: {dropout: {low: 0.0, high: 0.5}}, optimizer: {lr: [0.1, 1.0]}}")
    joined = read("{head.dropout: {low: 0.0, high: 0.5}, optimizer.lr: [0.1, 1.0]}")
    assert nested == joined == {"head.dropout": Range(0.0, 0.5), "optimizer.lr": Choice(("0.1", "1.0"))}


def test_whole_ends_mean_whole_numbers():
    space = read("{a: {low: 1, high: 9, step: 2}, b: {low: 1, high: 9.0}, c: {low: 0.5, high: 8, log: true}}")
    assert [values.whole for values in space.values()] == [True, False, False]
    drawn = [values.distribute() for values in space.values()]
    assert [type(each).__name__ for each in drawn] == ["IntDistribution", "FloatDistribution", "FloatDistribution"]
    assert drawn[0].step == 2 and drawn[2].log


@pytest.mark.parametrize(
    ("values", "proposed", "text"),
    [
        (Range(1, 9), 3, "3"),
        (Range(0.0, 1.0, step=0.1), 0.30000000000000004, "0.3"),
        (Range(1e-5, 1e-2, log=True), 0.00012345678, "0.000123457"),
        (Range(1e-5, 1e-2, log=True), 1.0000001e-5, "1e-05"),
        (Range(0.0, 0.99999951), 0.99999951, "0.99999951"),  # never beyond its end
        (Range(0.0, 4.0), 3.0, "3.0"),
        (Choice(("linear", "mlp")), "mlp", "mlp"),
    ],
)
def test_proposals_are_spelt_short_and_within_their_ends(values, proposed, text):
    assert values.spell(proposed) == text


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(exclude_categories=("C",))),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
        max_leaves=5,
    )
)
def test_hydra_reads_back_what_is_spelt(value):
    (override,) = OverridesParser.create().parse_overrides([f"key={spell_value(value)}"])
    assert override.value() == value


@pytest.mark.parametrize(
    "text",
    [
        "{a: 1}",
        "{a: []}",
        "{a: {}}",
        "{a: {low: 1}}",
        "{a: {low: 1, high: 1}}",
        "{a: {low: 2, high: 1}}",
        "{a: {low: one, high: 2}}",
        "{a: {low: 0, high: true}}",
        "{a: {low: 0, high: 1, steps: 2}}",
        "{a: {low: 0, high: 1, step: 0}}",
        "{a: {low: 0, high: 1, log: true}}",
        "{a: {low: 1, high: 9, log: true, step: 2}}",
    ],
)
def test_what_is_no_range_and_no_choice_is_refused(text):
    with pytest.raises(InputError, match=r"hparams_search\.space\.a"):
        read(text)


@pytest.mark.parametrize("name", ["split.seed", "split", "dataset", "dataset.emotions", "data.test", "metrics.by"])
def test_what_decides_the_clips_that_are_scored_is_not_searched(name):
    with pytest.raises(InputError, match="could not be compared"):
        check_space({name: Choice(("1", "2"))})
    check_space({"data.oversample": Choice(("none", "emotion"))})
    with pytest.raises(InputError, match="nothing to search"):
        check_space({})


@pytest.mark.parametrize("monitor", ["test/uar", "uar", "seconds", "test/val/uar"])
def test_only_validation_scores_choose(monitor):
    with pytest.raises(InputError, match="only validation scores may choose"):
        choose_monitor(monitor, None)
    assert choose_monitor("val/wa", None) == "val/wa"


def test_identity_is_what_must_not_change():
    def make(**changed):
        known = {
            "space": {"a": Range(0.0, 1.0)},
            "fixed": ("x=1", "y=2"),
            "monitor": "val/uar",
            "direction": "maximize",
            "trials": 10,
            "batch": 1,
            "seed": 1,
            "sampler": {"_target_": "s"},
        }
        return Search(**{**known, **changed}).identity

    assert make() == make(trials=20, batch=4, fixed=("y=2", "x=1"))
    changes = [
        {"space": {"a": Range(0.0, 2.0)}},
        {"fixed": ("x=1",)},
        {"monitor": "val/wa"},
        {"direction": "minimize"},
        {"seed": 2},
        {"sampler": {"_target_": "t"}},
    ]
    assert len({make(**change) for change in [{}, *changes]}) == 7


def test_names_on_the_command_line_keep_their_dots():
    from omegaconf import OmegaConf

    arguments = ["a=1", "hparams_search.space.head=[x,y]", "+hparams_search.space.head.z={low: 1, high: 2}"]
    arguments += ["hparams_search.space={b/c:[1,2]}", "hparams_search.spaces=3"]
    joined = join_names(arguments)
    assert joined[0] == "a=1" and joined[-1] == "hparams_search.spaces=3"
    config = OmegaConf.create({"hparams_search": {"space": {}}})
    for override in OverridesParser.create().parse_overrides(joined[1:4]):
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True, force_add=True)
    found = OmegaConf.to_container(config.hparams_search.space)
    assert found == {"head": ["x", "y"], "head.z": {"low": 1, "high": 2}, "b/c": [1, 2]}
    with pytest.raises(InputError, match=r"hparams_search\.space\.head=x,y"):
        join_names(["hparams_search.space.head=x,y"])
