"""What cannot be fused is refused with its key, and what a branch is when the run says nothing of it."""

import re

import pytest
from hydra.errors import InstantiationException

from ser.chosen import Choices, build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.finetune.frozen import Frozen
from ser.finetune.full import Full
from ser.head.fused_trunk import FusedTrunk
from ser.head.reading import Reading
from ser.launch import explain_mistake
from ser.sweep import find_swept, split_overrides

FUSION = ["backbone=fusion", "backbone@backbone.audio=sequences"]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (["fusion.modalities=video"], r"(?s)fusion.modalities=video.*audio, text or both"),
        (["fusion.dropout.audio=0.7", "fusion.dropout.text=0.7"], "one modality always remains"),
        (["fusion.dropout.audio=-1"], r"fusion.dropout: audio=-1"),
        (["fusion.hidden.audio=[0]"], "fusion.hidden"),
        (["fusion=gated", "fusion.units=0"], "fusion.units=0"),
        (["fusion=cross_attention", "fusion.heads=3"], "that the heads divide"),
        (["fusion=late", "fusion.weight=2"], "fusion.weight=2"),
        (["fusion=late", "fusion.weight=some"], "fusion.weight=some"),
        (["fusion=late", "fusion.dropout.text=0.1"], "no branch learns to rely"),
        (["backbone@backbone.text=egemaps"], r"(?s)backbone.text: Functionals reads sound.*glove"),
        (["backbone@backbone.audio=words"], r"(?s)backbone.audio: Words reads transcripts.*byol_s"),
        (["fusion=cross_attention", "pooling@backbone.pooling.audio=branches"], "have no parts to be pooled"),
        (["pooling@backbone.pooling.text=branches"], "frames of GloVe have no parts"),
        (["finetune=full"], "neither Sequences nor GloVe is fine-tuned"),
        (["finetune@backbone.finetune.audio=full"], "Sequences has no weights to fine-tune"),
        (
            ["pooling=gru", "pooling@backbone.pooling.audio=max", "pooling@backbone.pooling.text=max"],
            "either branch has a pooling of its own",
        ),
        (["backbone@backbone.audio=egemaps", "pooling@backbone.pooling.audio=gru"], "no frames to pool"),
        (["finetune@backbone.finetune.audio=frozen", "backbone@backbone.audio=mel_cnn"], "starts untrained"),
    ],
)  # fmt: skip
def test_what_cannot_be_fused_is_refused(keys, reason):
    with pytest.raises((InputError, InstantiationException)) as refused:  # as the command line explains both
        build_trunk(compose([*FUSION, *keys]))
    assert re.search(reason, str(explain_mistake(refused.value)))


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (["head=logreg", "fusion=gated"], "cannot train a pooling, a mix of layers or a fusion"),
        (["head=logreg", "fusion.dropout.text=0.1"], "cannot train a pooling"),
        (["head=logreg", "pooling@backbone.pooling.text=gru"], "cannot train a pooling"),
        (["head=svm", "backbone@backbone.text=words"], "cannot train the backbone Fusion"),
        (["trainer.mixup=0.2"], "what is said in them cannot"),
        (["fusion=late", "fusion.weight=validation", "trainer.early_stopping=null"], "nothing is validated"),
    ],
)
def test_what_cannot_be_trained_is_refused(keys, reason, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path))
    with pytest.raises(InputError, match=reason):
        Choices.build(compose([*FUSION, *keys]))


def test_what_a_branch_needs_is_its_own():
    keys = ["backbone=fusion", "backbone@backbone.audio=byol_s", "backbone@backbone.text=words"]
    trunk = build_trunk(compose(keys))
    assert isinstance(trunk, FusedTrunk) and trunk.trains and not trunk.trains_on_sound
    assert (trunk.branches.audio.policy, trunk.branches.text.policy) == (Frozen(), Full())
    assert trunk.branches.audio.reading == trunk.branches.text.reading == Reading()
    trunk = build_trunk(compose([*keys, "finetune=lora", "pooling=gru", "pooling@backbone.pooling.audio=max"]))
    assert trunk.branches.audio.policy is not None and trunk.trains_on_sound
    assert isinstance(trunk.branches.text.policy, Full) and trunk.branches.text.policy.from_scratch
    assert (trunk.branches.audio.reading.statistics, trunk.branches.text.reading.statistics) == (("max",), ())
    trunk = build_trunk(compose([*keys, "backbone@backbone.audio=egemaps", "pooling=gru"]))
    assert trunk.branches.audio.reading == Reading() and trunk.branches.text.reading.learns


@pytest.mark.parametrize(("modality", "name"), [("audio", "Sequences"), ("text", "GloVe")])
def test_a_modality_that_is_left_out_is_not_there(modality, name):
    trunk = build_trunk(compose([*FUSION, f"fusion.modalities={modality}", "pooling@backbone.pooling.text=lstm"]))
    assert not isinstance(trunk, FusedTrunk)
    assert type(trunk.backbone).__name__ == name and trunk.reads_text == (modality == "text")
    assert trunk.reading.learns == (modality == "text") and not trunk.reading.keeps_frames


def test_the_contents_of_both_branches_are_its_identity(tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("a 1 2\n")
    keys = ["backbone=fusion", "backbone@backbone.audio=sequences", f"backbone.text.source={vectors}"]
    first = build_trunk(compose(keys)).identify()
    vectors.write_text("a 1 3\n")
    assert build_trunk(compose(keys)).identify() != first
    vectors.write_text("a 1 2\n")
    assert build_trunk(compose(keys)).identify() == first
    assert build_trunk(compose([*keys, "backbone.audio.mfcc=20"])).identify() != first


def test_the_choice_of_a_branch_has_a_name_of_its_own():
    overrides = ["backbone=fusion", "backbone@backbone.audio=egemaps", "backbone@backbone.text=words", "seed=1"]
    chosen = {"backbone": "fusion", "backbone.audio": "egemaps", "backbone.text": "words"}
    assert split_overrides(overrides) == {**chosen, "seed": "1"}
    assert find_swept(["backbone=fusion", "backbone@backbone.audio=egemaps,byol_s"]) == ["backbone.audio"]
    assert chosen.items() <= dict(compose(overrides).choices).items()
    assert "backbone.pooling.text" not in compose(overrides).choices
    assert compose(["backbone=kumar_2021"]).choices["backbone.pooling.audio"] == "branches"
