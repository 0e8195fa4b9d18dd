import pytest
from omegaconf import OmegaConf

from ser.backbone.functionals import Functionals
from ser.backbone.speech import Speech
from ser.errors import InputError
from ser.language.checkpoint import PublishedCheckpoint
from ser.language.none import NoLanguage
from ser.paths import find_shipped

YAML = OmegaConf.to_container(OmegaConf.load(find_shipped("conf") / "language" / "checkpoint.yaml"))
BACKBONES = {OmegaConf.load(path).get("source") for path in (find_shipped("conf") / "backbone").glob("*.yaml")}


def test_the_published_comparison_is_in_the_table():
    wanted = {
        "facebook/wav2vec2-large-xlsr-53": "jonatasgrosman/wav2vec2-large-xlsr-53-italian",
        "facebook/hubert-large-ll60k": "jonatasgrosman/exp_w2v2t_it_hubert_s722",
    }
    for source, checkpoint in wanted.items():
        backbone = Speech(source=source, revision="main", layer=7)
        applied = PublishedCheckpoint(YAML["table"], "it").apply(backbone)
        # A revision belongs to the source that it was named for.
        assert (applied.source, applied.revision, applied.layer) == (checkpoint, None, 7)
        assert NoLanguage(language="it").apply(backbone) is backbone
        assert PublishedCheckpoint(YAML["table"], "it", run=None, fold=0).list_heard(backbone) == []


@pytest.mark.parametrize("source", YAML["table"])
def test_the_table_names_backbones_and_languages(source):
    assert source in BACKBONES
    family = source.rpartition("/")[2].partition("-")[0]
    for language, checkpoint in YAML["table"][source].items():
        owner, _, name = checkpoint.partition("/")
        assert owner == "jonatasgrosman" and 2 <= len(language.partition("-")[0]) <= 3
        assert name.startswith(
            "wav2vec2-large-xlsr-53-" if family == "wav2vec2" else f"exp_w2v2t_{language.lower()}_{family}_s"
        )
    assert len(set(YAML["table"][source].values())) == len(YAML["table"][source])


@pytest.mark.parametrize(
    ("backbone", "language", "said"),
    [
        (Speech(source="facebook/hubert-large-ll60k"), "fi", "language.language=de|en|es"),
        (Speech(source="facebook/hubert-large-ll60k"), None, "language.language=de|en|es"),
        (Speech(source="facebook/wav2vec2-base"), "it", "microsoft/wavlm-large: de, en"),
        (Speech(config={"model_type": "hubert"}), "it", "backbone.source=None"),
        (Functionals(), "it", "Functionals has no weights"),
    ],
)
def test_what_the_table_lacks_is_refused_with_what_it_has(backbone, language, said):
    with pytest.raises(InputError) as refused:
        PublishedCheckpoint(YAML["table"], language).apply(backbone)
    assert said in str(refused.value)


def test_every_choice_takes_the_keys_of_the_others():
    from hydra.utils import instantiate

    from ser.config import compose

    for choice in ("none", "checkpoint", "ctc", "emotion"):
        own = [f"language.{key}" for key in ("language=it", "run=/run", "pretune=[]", "fold=1")]
        instantiate(compose([f"+language={choice}", *own], "pretune").language)
