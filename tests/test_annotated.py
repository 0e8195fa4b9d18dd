import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from ser.annotated import flatten, parse, read_choice, read_document
from ser.choices import find_choice, list_choices, list_groups
from ser.errors import InputError
from ser.paths import find_shipped

FILES = sorted(find_shipped("conf").rglob("*.yaml"))
CHOICES = [(group, name) for group, found in list_groups(nested=True).items() for name in list_choices(found)]
EXTENDING = [pair for pair in CHOICES if any(item.extends for item in read_document(find_choice(*pair)).defaults)]

TEXT = """# What it is
# and more

# Of the first
first: 1  # in s
nested:  # of several
  # below
  a: [1, 2]  # a list
  b: {x: "a # sign", y: 1e-3}
  c:
    - one  # item
    - two
  long: >-
    some text
    on lines
none:
last: ${oc.env:HOME,x}  # looked up
"""


def test_comments_stay_with_their_keys():
    document = parse(TEXT)
    found = dict(flatten(document.settings))
    assert document.title == "What it is" and document.header == ("What it is", "and more")
    assert {name: setting.text for name, setting in found.items() if setting.text} == {
        "first": "Of the first in s", "nested": "of several", "nested.a": "below a list", "last": "looked up",
    }  # fmt: skip
    assert found["first"].value == "1" and found["nested.b"].value == '{x: "a # sign", y: 1e-3}'
    assert found["none"].value == "" and found["last"].value == "${oc.env:HOME,x}" and found["nested"].value == ""


def test_what_is_rendered_says_the_same_and_renders_alike():
    document = parse(TEXT)
    again = parse(document.render())
    assert yaml.safe_load(document.render()) == yaml.safe_load(TEXT)
    assert again.header == document.header and dict(again.settings) == dict(document.settings)


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_shipped_file_survives(path):
    text = path.read_text()
    assert (yaml.safe_load(read_document(path).render()) or {}) == (yaml.safe_load(text) or {})


def test_a_choice_has_the_keys_and_comments_of_those_it_extends():
    found = dict(flatten(read_choice("head", "kumar_dense").settings))
    assert found["hidden"].value == "[340, 470, 600]" and "network for RAVDESS" in found["hidden"].text
    assert found["relu"].text == dict(flatten(read_choice("head", "linear").settings))["relu"].text
    audio = read_choice("audio", "s4_tess")
    assert {item.name: item.choice for item in audio.defaults} == {
        "trim": "energy", "loudness": "none", "duration": "fixed", "_self_": None,
    }  # fmt: skip
    with pytest.raises(InputError, match="did you mean mlp"):
        read_choice("head", "mpl")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A configuration in which every choice that extends another is written out."""
    folder = tmp_path_factory.mktemp("written") / "conf"
    for path in FILES:
        target = folder / path.relative_to(find_shipped("conf"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    for group, name in EXTENDING:
        (folder / group / f"{name}.yaml").write_text(read_choice(group, name).render())
    return folder


def test_a_choice_that_is_written_out_means_what_it_meant(written):
    """Hydra, which composes both, is the judge."""

    def load(folder, group, name):
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(folder), version_base="1.3"):
            # What overrides other groups can only be composed with them.
            whole = any(item.name.startswith("override /") for item in read_choice(group, name).defaults)
            config = compose("train", overrides=[f"{group}={name}"]) if whole else compose(f"{group}/{name}")
        return OmegaConf.to_container(config)

    assert len(EXTENDING) > 30
    for group, name in EXTENDING:
        if group != "hparams_search":  # it names a sweeper, which only a whole command has
            assert load(written, group, name) == load(find_shipped("conf"), group, name), f"{group}={name}"
