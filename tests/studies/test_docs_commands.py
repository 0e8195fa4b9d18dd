"""Every command in README and documentation means something: it composes, or its words exist.

What a test runs as a page says is in ``test_docs_pages.py``.
"""

import ast
import json
import re
import tomllib
from itertools import pairwise

import pytest
from hydra.errors import HydraException
from page_tools import PAGES, ROOT, Block, list_blocks, list_commands, split

from ser.choices import find_choice, list_groups
from ser.cli import COMMANDS, main
from ser.errors import InputError

#: Commands of others; what they do is not ours to test.
OTHERS = ("source",)
#: Options of Hydra that take a value.
FLAGS = ("--cfg", "-c", "--package", "-p", "--info", "--config-dir", "-cd")
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that a page has a reader write."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path / "outputs"))

    def write(page):
        for block in list_blocks(page):
            if block.title:
                (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / block.title).write_text(block.text)

    return write


def compose_command(stage, arguments):
    """Compose what ``ser <stage> <arguments>`` would; of a sweep the first combination, and look for its choices."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from ser.config import permit_own_keys
    from ser.hparams_search.space import join_names
    from ser.paths import find_shipped

    values = [later for flag, later in pairwise(arguments) if flag in FLAGS]
    overrides = [item for item in arguments if not item.startswith("-") and item not in values]
    first, groups = [], list_groups(nested=True)
    for item, parsed in zip(overrides, OverridesParser.create().parse_overrides(overrides), strict=True):
        name = item.partition("=")[0]
        swept = list(parsed.sweep_string_iterator()) if parsed.is_sweep_override() else []
        first.append(f"{name}={swept[0]}" if swept else item)
        for choice in swept if parsed.key_or_group in groups else []:
            find_choice(parsed.key_or_group, choice)
    assert "-m" in arguments or first == overrides, "several values need -m"
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(find_shipped("conf")), version_base="1.3", job_name=stage):
        config = compose(stage, overrides=permit_own_keys(join_names(first)), return_hydra_config=True)
    for nested in (config.get("language") or {}).get("pretune") or []:
        compose_command("pretune", [nested])


def check(words, capsys):
    """Whether a command means something; raises where it does not."""
    command, *rest = words
    if command == "make":
        assert next(item for item in rest if "=" not in item) in TARGETS, words
    elif command == "pip":
        names = re.findall(r"ser\[(\w+)\]", " ".join(rest))
        assert rest[0] == "install" and names and all(name in EXTRAS for name in names), words
    elif command == "python":
        assert (ROOT / rest[0]).is_file(), words
    elif command == "eval":
        assert (inner := re.fullmatch(r"\$\((ser .*)\)", rest[0])) and main(split(inner[1])[1:]) == 0, words
    elif command == "ser":
        assert rest[0] in COMMANDS, words
        check_ours(*rest)
    else:
        assert command in OTHERS, f"{words}: mark its block with <!-- not run: needs … -->, or test it"
    capsys.readouterr()


def check_ours(command, *rest):
    """One of our commands."""
    if command in ("train", "explain", "pretune"):
        compose_command(command, rest)
    elif command == "stats":
        from ser.commands.stats import complete

        compose_command("stats", [complete(item) for item in rest])
    elif command == "data":
        from ser.commands.data import read_action
        from ser.data.options import read_options

        action, options = read_action(rest)
        assert action == "list" or read_options(options)
    elif command in ("predict", "export"):
        from ser.prediction.options import read_options

        assert read_options(command, rest)
    elif command == "study":
        check_study(rest)
    elif command == "doctor":
        assert all(item == "--fix" or item.startswith("tracking.uri=") for item in rest)
    elif command == "ui":
        assert all(item.partition("=")[0] in ("tracking.uri", "port", "host") for item in rest)
    else:
        assert main([command, *rest]) == 0


def check_study(rest):
    """A study's name, scale and values; those in a page's own file are looked for there."""
    from ser.commands.study import read_launcher, read_options
    from ser.study import choose_values, find_study, read_study

    options = read_options(rest)
    name, scale = options.pop("name"), options.pop("scale", None)
    options.pop("out", None)
    read_launcher(options.pop("launcher", ""))
    if name != "list":
        choose_values(read_study(find_study(name)), scale, options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_means_something(page, folder, capsys):
    folder(page)
    for block in list_blocks(page):
        commands = list_commands(block)
        if not block.excuse:
            for words in commands:
                # What a page shows as refused is refused.
                if block.language == "text" and "did you mean" in block.text:
                    with pytest.raises(HydraException):
                        check(words, capsys)
                else:
                    check(words, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_and_configurations_can_be_read(page):
    """Python parses, and configurations composed in it compose; YAML and JSON parse."""
    import yaml

    from ser.config import compose

    for block in list_blocks(page):
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text.replace("…", "..."))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "compose":
                    compose(*(ast.literal_eval(argument) for argument in node.args))
        elif block.language == "yaml":
            assert yaml.safe_load(block.text)
        elif block.language == "json":
            json.loads(block.text)


def test_links_lead_somewhere():
    """In files; the build of the site looks at its pages and anchors."""
    dead = []
    for page in [*PAGES, *sorted((ROOT / "experiments").glob("*/README.md")), ROOT / "benchmarks" / "README.md"]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            generated = target.startswith("reference/")
            if "://" not in target and not generated and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def test_a_command_that_means_nothing_is_found(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line, error in (
        ("ser train head=svn", HydraException),
        ("ser train -m head=svm,svn", InputError),
        ("ser train head=svm,mlp", AssertionError),
        ("ser train head.hiden=[3]", HydraException),
        ("ser trian", AssertionError),
        ("ser data chek dataset=emodb", InputError),
        ("ser study nothing", InputError),
        ("ser study planted scale=huge", InputError),
        ("make nothing", AssertionError),
        ("pip install 'ser[nothing]'", AssertionError),
        ("dvc pull", AssertionError),
    ):
        with pytest.raises(error):
            check(split(line), capsys)


def test_blocks_and_commands_are_read_as_a_reader_reads_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: needs a cluster -->\n```bash\n# why\nser train a=1 \\\n    b=<the run's directory>  # so\n\n"
        "ser explain run=… …\n```\ntext\n```\n$ ser list head\nsaid: ser list head\n```\n"
        '```yaml title="conf/x.yaml"\na: 1\n```\n'
    )
    first, second, third = list_blocks(page)
    assert first.excuse == "needs a cluster" and not second.excuse and third.title == "conf/x.yaml"
    assert list_commands(first) == [["ser", "train", "a=1", "b=x"], ["ser", "explain", "run=x"]]
    assert list_commands(second) == [["ser", "list", "head"]] and list_commands(third) == []
    assert list_commands(Block(page, "python", "", "ser list", "")) == []
