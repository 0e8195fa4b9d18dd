"""The reference has every command, group, choice and key; what is not in the menu gets into it."""

import sys

import pytest
from page_tools import ROOT

from ser.annotated import flatten, read_choice
from ser.choices import list_choices, list_groups
from ser.cli import COMMANDS

sys.path.append(str(ROOT / "docs" / "site"))
import reference


@pytest.fixture(scope="module")
def pages():
    return reference.write_pages()


def test_every_command_group_choice_and_key_is_there(pages):
    for command in COMMANDS:
        assert f"## ser {command}\n" in pages["reference/commands.md"]
    for name, group in list_groups(nested=True).items():
        if name.startswith("hydra/"):
            continue
        page = pages[f"reference/{name.partition('/')[0]}.md"]
        for choice in list_choices(group):
            assert f"{{ #{reference.anchor(name, choice)} }}" in page
            prefix = "" if name == "debug" else f"{name.replace('/', '.')}."
            for key, setting in flatten(read_choice(name, choice).settings, prefix):
                assert setting.inside or f"`{key}`" in page or key.rpartition(".")[2].startswith("_"), key


def test_keys_of_stages_are_there_with_what_they_are(pages):
    page = pages["reference/keys.md"]
    assert "| `seed` | `1` | initialisation, batch order, estimators" in page
    assert "| `check.shortest` | `0.5` | s; clips below are named as very short |" in page
    assert "hydra." not in page and "[`backbone`](backbone.md) = `egemaps`" in page


def test_what_commands_say_is_what_they_print(pages, capsys):
    from ser.cli import main

    main(["study", "--help"])
    assert capsys.readouterr().out.strip() in pages["reference/commands.md"]


def test_what_a_choice_brings_and_extends_is_linked(pages):
    assert "Extends [`linear`](#head-linear)." in pages["reference/head.md"]
    assert "With [`pooling=mean_plus_max`](pooling.md#pooling-mean-plus-max)." in pages["reference/backbone.md"]
    assert "[`audio/trim=energy`](audio.md#audio-trim-energy)" in pages["reference/audio.md"]


def test_comments_are_no_markup():
    assert reference.escape("a|b <c> *d* `e|f` ${g}") == r"a\|b \<c\> \*d\* `e|f` \$\{g\}"


@pytest.fixture
def hooks():
    pytest.importorskip("mkdocs", reason="needs the extra: pip install 'ser[docs]'")
    import hooks

    return hooks


def test_every_page_gets_into_the_menu(hooks):
    import yaml

    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    config = type("Config", (), {"nav": menu})()
    hooks.on_config(config)
    named = hooks.list_named(config.nav)
    assert len(named) == len(set(named))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} | set(reference.write_pages()) <= set(named)
    assert "studies/planted.md" in named and "benchmarks/index.md" in named


def test_links_out_of_the_folder(hooks, caplog):
    def mend(text, page="explain.md", source=ROOT / "docs" / "explain.md"):
        return hooks.LINK.sub(lambda found: hooks.mend(found, source, page), text)

    assert mend("[a](statistics.md#x) [b](https://x.y)") == "[a](statistics.md#x) [b](https://x.y)"
    assert mend("[study](../experiments/planted/README.md)") == "[study](studies/planted.md)"
    assert mend("[`ser/cli.py`](../ser/cli.py)") == "`ser/cli.py`" and mend("[it](../Makefile)") == "it (`Makefile`)"
    source = ROOT / "experiments" / "planted" / "README.md"
    assert mend("[p](../../docs/planted.md)", "studies/planted.md", source) == "[p](../planted.md)"
    assert not caplog.records
    mend("[gone](no-such-page.md)")
    mend("[away](../../elsewhere.md)")
    assert len(caplog.records) == 2, "which the strict build takes for errors"
