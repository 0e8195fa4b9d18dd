import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from speaking import make_texts, write_speech

from ser.backbone.functionals import Functionals
from ser.config import compose
from ser.errors import InputError, LeakError
from ser.language.ctc import CTC
from ser.language.heard import check_leaks
from ser.language.nested import compose_stage as nest
from ser.language.none import NoLanguage
from ser.language.start import choose_weights
from ser.pretune import Plan, pretune

QUICKLY = ["trainer.max_epochs=1", "finetune.front_end=true", "trainer.accelerator=cpu"]


def load_stage(stage, overrides):
    """As the command line composes a stage inside a run."""
    from hydra import compose as compose_hydra
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from ser.paths import find_shipped

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(find_shipped("conf")), version_base="1.3"):
        return compose_hydra(stage, overrides=list(overrides), return_hydra_config=True)


@pytest.fixture
def choose(compose_stage):
    """The choice ``language=ctc`` of a run with a tiny HuBERT, and that backbone."""

    def make(*overrides, backbone="tiny_hubert"):
        config = compose_stage("+language=ctc", *overrides, quick=[f"backbone={backbone}"])
        return instantiate(nest(config, load_stage).language), instantiate(config.backbone)

    return make


@pytest.fixture
def tested(spoken, tmp_path):
    """Rows of test parts: of one speaker of the corpus, and of another corpus."""
    from ser.dataset.table import Table

    def read(path, speaker, name="tones"):
        frame = Table(str(path), name=name).load().frame
        return frame[frame["speaker"] == speaker].assign(dataset=name)

    other = write_speech(tmp_path / "other", make_texts(2, seed=9), speakers=2)
    return {"s3": read(spoken, "s3"), "s0": read(spoken, "s0"), "other": read(other, "s0", "others")}


def test_the_stage_runs_once_for_all_runs_that_need_it(choose, spoken, tested, monkeypatch):
    overrides = ["dataset=csv", f"dataset.path={spoken}", "dataset.name=tones", "speakers=[s0,s1]", *QUICKLY]
    nested = "language.pretune=[" + ",".join(f'"{item}"' for item in overrides) + "]"
    language, backbone = choose(nested)
    first, record = choose_weights(language, backbone, tested["s3"])
    assert record["source"] == first.source and [each["speakers"] for each in record["heard"]] == [("s0", "s1")]
    assert first.identify()["weights"] and first.layer == backbone.layer
    monkeypatch.setattr("ser.pretune.learn", lambda *_: pytest.fail("trained again"))
    language, backbone = choose(nested, "backbone.layer=mix")
    second, _ = choose_weights(language, backbone, tested["other"])
    assert second.source == first.source and second.identify() == first.identify() and second.layer == "mix"
    # The same by id, by key and by directory, and by the folder with the weights.
    plan = Plan.make(language.pretune)
    run = plan.tracker.find(plan.key).info.run_id
    folder = first.source.removesuffix("/model")
    for name in (run, plan.key, folder, first.source):
        language, backbone = choose(f"language.run={name}")
        assert choose_weights(language, backbone, tested["s3"])[0].source == first.source


def test_what_was_heard_is_refused_before_the_stage_runs(choose, spoken, tested, monkeypatch):
    monkeypatch.setattr("ser.pretune.learn", lambda *_: pytest.fail("trained"))
    overrides = ["dataset=csv", f"dataset.path={spoken}", "dataset.name=tones", "speakers=[s0,s1]", *QUICKLY]
    nested = "language.pretune=[" + ",".join(f'"{item}"' for item in overrides) + "]"
    with pytest.raises(LeakError, match="tones s0"):
        choose_weights(*choose(nested), tested["s0"])
    # Under another name the samples tell.
    renamed = tested["s0"].assign(dataset="renamed", speaker="somebody")
    with pytest.raises(LeakError, match=r"16 clips .* \(speakers somebody\)"):
        choose_weights(*choose(nested), renamed)


def test_weights_of_another_backbone_are_refused(choose, compose_stage, tmp_path, tested):
    made = pretune(compose_stage("trainer.max_epochs=1"), tmp_path / "run")
    language, backbone = choose(f"language.run={made.key}", backbone="tiny_hubert")
    with pytest.raises(InputError, match="fine-tuned from another network") as refused:
        choose_weights(language, backbone, tested["other"])
    assert "family hubert" in str(refused.value) and "family wav2vec2" in str(refused.value)
    language, backbone = choose(f"language.run={made.key}", "backbone.seed=5", backbone="tiny_wav2vec2_layer_norm")
    with pytest.raises(InputError, match="seed 5"):
        choose_weights(language, backbone, tested["other"])


def test_a_folder_as_source_brings_what_it_heard(compose_stage, make_backbone, tmp_path, tested):
    made = pretune(compose_stage("trainer.max_epochs=1", "speakers=[s0,s1]"), tmp_path / "run")
    backbone = make_backbone(
        "tiny_wav2vec2_layer_norm", "backbone.config.num_hidden_layers=1", f"backbone.source={made.model}"
    )
    with pytest.raises(LeakError, match="tones s0"):
        choose_weights(NoLanguage(), backbone, tested["s0"])
    applied, record = choose_weights(NoLanguage(), backbone, tested["s3"])
    assert applied is backbone and record["source"] == str(made.model) and len(record["heard"]) == 1
    # A second stage on top of the first knows of both.
    again = Plan.make(compose_stage("speakers=[s1,s2]", f"backbone.source={made.model}"))
    assert [each.speakers for each in again.heard] == [("s0", "s1"), ("s1", "s2")]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "which weights"),
        (["language.run=0123456789abcdef"], "no such run"),
        (["language.run=."], "no model in this folder"),
        (["language.pretune=['backbone=tiny_wavlm']"], "are those of the run itself"),
        (["language.pretune=['tracking.uri=x']"], "are those of the run itself"),
    ],
)
def test_mistakes(choose, tested, overrides, said):
    with pytest.raises((InputError, InstantiationException)) as refused:  # as the command line explains both
        choose_weights(*choose(*overrides), tested["other"])
    assert said in str(refused.value)


def test_functionals_cannot_learn_a_language(tmp_path, tested):
    with pytest.raises(InputError, match="Functionals has no weights"):
        choose_weights(CTC({}, str(tmp_path), run="x"), Functionals(), tested["other"])
    assert choose_weights(NoLanguage(), backbone := Functionals(), tested["other"]) == (backbone, {})


def test_nothing_is_composed_where_nothing_is_asked_for():
    def load(*_):
        pytest.fail("composed")

    for overrides in ([], ["+language=none", "language.pretune=['seed=2']"], ["+language=ctc", "language.run=x"]):
        config = compose(["backbone=tiny_hubert", *overrides], "pretune")
        assert nest(config.copy(), load) == config


def test_the_nested_stage_is_what_its_command_would_run(spoken, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path))
    own = ["dataset=csv", f"dataset.path={spoken}", "speakers=[s1,s2]", "seed=3", "dataset.columns.text=text"]
    nested = "language.pretune=[" + ",".join(f'"{item}"' for item in own) + "]"
    outer = compose(["+language=ctc", "backbone=tiny_hubert", "backbone.seed=4", "seed=9", nested], "pretune")
    made = nest(outer, load_stage).language.pretune
    expected = compose([*own, "backbone=tiny_hubert", "backbone.seed=4"], "pretune")
    assert OmegaConf.to_container(made) == OmegaConf.to_container(expected, resolve=True)


@pytest.mark.data("emovo")
def test_emovo_taught_by_four_of_its_speakers(corpus_root, tmp_path, tracking_uri, monkeypatch):
    from ser.dataset.emovo import EMOVO

    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path))
    own = ["dataset=emovo", f"dataset.root={corpus_root}", "speakers=[f1,f2,m1,m2]", f"tracking.uri={tracking_uri}"]
    plan = Plan.make(compose([*own, "backbone=tiny_wav2vec2"], "pretune"))
    frame = EMOVO(str(corpus_root)).load().frame.assign(dataset="emovo")
    heard = frame[frame["speaker"].isin(["f1", "f2", "m1", "m2"])]
    assert len(plan.transcripts.frame) == len(heard) and plan.heard[0].languages == ("it",)
    assert plan.transcripts.known.all() and "14 different texts" in plan.transcripts.notes[-1]
    check_leaks(plan.heard, frame[frame["speaker"].isin(["f3", "m3"])])
    with pytest.raises(LeakError, match=r"4 speakers were heard(?s:.)*test_speakers=\[f3,m3\]"):
        check_leaks(plan.heard, frame)
