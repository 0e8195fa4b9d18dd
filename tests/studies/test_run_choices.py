"""Every choice of ``conf/`` works, and every pair of choices either runs or is refused with a reason."""

import itertools
import json
import random

import pandas as pd
import pytest
import soundfile
from study_tools import TINY_CNN, make_tone

from ser.commands.list import list_choices, list_groups
from ser.config import compose
from ser.corpus import make_dataset
from ser.dataset.manifest import Manifest
from ser.errors import InputError

GROUPS = list_groups()
ALL = [(group, choice) for group in GROUPS for choice in list_choices(GROUPS[group])]
#: What a choice needs to be small and fast here, or to work at all; new choices may need nothing.
SMALL = {
    "dataset=planted": ["dataset.speakers=4", "dataset.utterances_per_speaker=6", "dataset.jobs=1"],
    "backbone=mel_cnn": TINY_CNN[1:],
    "backbone=mel_cnn_small": TINY_CNN[1:],
    "backbone=noise": ["backbone.dim=8"],
    "split=kfold": ["split.folds=2"],
    "split=loso": ["split.fold=0"],
    "split=logo": ["split.group=gender"],
    "head=random_forest": ["head.estimator.n_estimators=5"],
    "head=svm": ["head.grid.gamma=[scale]"],
    "head=mlp": ["head.hidden=[4]"],
    "head=kumar_dense": ["head.hidden=[4]"],
    "backbone=fusion": ["backbone@backbone.audio=tiny_wav2vec2", "backbone.text.missing=mask"],
    "backbone=glove": ["backbone.missing=mask"],
    "backbone=tiny_text": ["backbone.missing=mask"],
    "backbone=sequences": ["backbone.parts=[mfcc,chroma]", "backbone.mfcc=3", "backbone.mels=8", "backbone.fft=512"],
    **{f"pooling={name}": ["pooling.network.hidden=3"] for name in ("gru", "lstm", "rnn", "branches")},
}
#: What a choice cannot be made without.
NEEDED = {
    **{f"fusion={rule}": ["backbone=fusion"] for rule in list_choices(GROUPS["fusion"])},
    "language=ctc": ['language.pretune=["dataset=emovo"]'],
    "language=emotion": ["language.run=some-run"],
}
#: The grid search is part of a head; these do it, with few inner folds.
TUNED = {"ridge", "svm"}


@pytest.fixture(scope="session")
def small_corpora(tmp_path_factory, write_corpus):
    """Folder -> overrides of a small copy of each kind of corpus."""
    root = tmp_path_factory.mktemp("small")
    emodb = root / "emodb" / "wav"
    emodb.mkdir(parents=True)
    codes = {"W": 330.0, "N": 210.0, "T": 130.0}
    speakers = ("03", "08", "09", "10")
    for number, (speaker, text, code) in enumerate(itertools.product(speakers, ("a01", "b02"), codes)):
        wave = make_tone(codes[code], [7, number], 0.4)
        soundfile.write(emodb / f"{speaker}{text}{code}a.wav", wave, 16000)
    return {
        "csv": write_corpus(root / "csv", speakers=4, takes=2).overrides,
        "emodb": ["dataset=emodb", f"dataset.root={emodb.parent}"],
        "planted": ["dataset=planted", f"dataset.root={root / 'planted'}", *SMALL["dataset=planted"]],
    }


@pytest.fixture(scope="session")
def split_keys(small_corpora, tmp_path_factory):
    """Keys that a split needs for a corpus."""
    folder = tmp_path_factory.mktemp("lists")

    def find(split, dataset):
        if split not in ("file", "fixed"):
            return SMALL.get(f"split={split}", [])
        manifest = make_dataset(compose(small_corpora[dataset]).dataset).load()
        if split == "fixed":
            return [f"split.test_speakers=['{manifest.speakers[0]}']"]
        path = folder / f"{dataset}.csv"
        place = {speaker: index % 2 for index, speaker in enumerate(manifest.speakers)}
        frame = manifest.frame
        pd.DataFrame({"clip": frame["clip"], "fold": frame["speaker"].map(place)}).to_csv(path, index=False)
        return [f"split.path={path}"]

    return find


@pytest.mark.parametrize(("group", "choice"), ALL)
def test_each_yaml_composes_and_makes_its_object(group, choice, small_corpora, outputs):
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    needed = small_corpora.get(choice) if group == "dataset" else None
    config = compose(needed or [f"{group}={choice}", *NEEDED.get(f"{group}={choice}", [])])
    assert config.choices[group] == ("cross_entropy" if (group, choice) == ("loss", "auto") else choice)
    resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert "hydra" not in resolved
    if group == "head":
        made = instantiate(config.head, class_weight=config.class_weight)
        assert callable(made.fit) and callable(made.load) and isinstance(made.uses_trainer, bool)
    elif group in ("trainer", "optimizer", "scheduler", "loss"):
        from ser.chosen import build_training

        training = build_training(config)
        assert (training.scheduler is None) == (config.choices.scheduler == "none")
        assert training.max_epochs == config.trainer.max_epochs
    elif group == "dataset":
        made = make_dataset(config.dataset)
        assert needed is None or isinstance(made.load(), Manifest)  # the others are read in tests/dataset
    elif group == "augmentation":
        assert config.augmentation.copies == 1  # tests/augmentation makes every one of them
    elif choice == "none" and group == "debug":
        assert "debug" not in config
    else:
        made = instantiate(config[group])
        if group == "backbone":
            assert made.rate == 16000 and isinstance(made.frames, bool)
        if group == "split":
            assert callable(made.split) and made.seed == 0


def test_each_yaml_begins_with_a_line_that_says_what_it_is():
    assert [choice for group in GROUPS for choice, text in list_choices(GROUPS[group]).items() if not text] == []


NETWORKS = ("linear", "mlp", "kumar_dense")
#: One backbone of each kind, small: the others of a family differ in their weights.
BACKBONES = (
    "egemaps", "noise", "mel_cnn_small", "tiny_wav2vec2", "tiny_wavlm", "tiny_whisper", "tiny_byol", "sequences",
    "glove", "tiny_text", "fusion",
)  # fmt: skip
LEARNED = ("attention", "attentive_statistics", "ecapa", "gru", "lstm", "rnn", "branches")
UNTRAINED = ("mel_cnn_small", "tiny_text")


def clash(one, other):
    """Whether two choices are refused together."""
    pair = dict([one, other])
    backbone, head = pair.get("backbone", ""), pair.get("head", "mlp")
    finetune, pooling = pair.get("finetune"), pair.get("pooling", "mean")
    trained = backbone in UNTRAINED or finetune not in (None, "frozen")
    untrainable = head not in NETWORKS and (trained or pooling in LEARNED)
    functionals = backbone in ("egemaps", "noise") and (finetune not in (None, "frozen") or pooling != "mean")
    fixed = backbone in ("glove", "sequences") and finetune not in (None, "frozen")
    whole = pooling == "branches" and (backbone not in ("", "sequences") or finetune not in (None, "frozen"))
    unheard = backbone in ("glove", "tiny_text") and pair.get("augmentation", "none") != "none"
    untrained = backbone in UNTRAINED and finetune not in (None, "full")
    unadapted = backbone == "tiny_byol" and finetune == "lora"
    weightless = pair.get("class_weight") == "balanced" and head in ("knn", "dummy", "dummy_stratified")
    unofficial = pair.get("split") == "official" and pair.get("dataset", "csv") not in ("csv", "planted")
    special = unofficial or (pair.get("split") == "leave_one_session_out" and pair.get("dataset", "csv") != "csv")
    refused = untrainable or functionals or untrained or unadapted or weightless or special
    return refused or fixed or whole or unheard


def cover_pairs(factors, clash, seed=0):
    """Combinations in which every pair of levels of two factors occurs; greedy.

    Pairs that clash have a combination each, in which nothing else clashes if that can be; every other pair occurs
    where nothing does (it is an error if it cannot).
    """
    draw = random.Random(seed)
    names = list(factors)
    pairs = [
        ((a, x), (b, y))
        for a, b in itertools.combinations(names, 2)
        for x, y in itertools.product(factors[a], factors[b])
    ]
    clashing = {frozenset(pair) for pair in pairs if clash(*pair)}
    todo = {frozenset(pair) for pair in pairs} - clashing

    def complete(start):
        chosen = dict(start)
        for name in draw.sample(names, len(names)):
            if name not in chosen:
                items = list(chosen.items())
                free = [x for x in factors[name] if not any(frozenset([(name, x), item]) in clashing for item in items)]
                levels = free or list(factors[name])
                gains = {x: sum(frozenset([(name, x), item]) in todo for item in items) for x in levels}
                chosen[name] = max(draw.sample(levels, len(levels)), key=gains.__getitem__)
        return {name: chosen[name] for name in names}

    for pair in sorted(map(sorted, clashing)):
        yield complete(pair)
    while todo:
        pair = sorted(min(todo, key=sorted))
        for _ in range(20):
            chosen = complete(pair)
            found = {frozenset(items) for items in itertools.combinations(chosen.items(), 2)}
            if not found & clashing:
                break
        else:
            raise ValueError(f"{pair} clash with every choice of something else: clash() should say so")
        todo -= found
        yield chosen


def test_the_generator_of_pairs_covers_them():
    factors = {"a": "xyz", "b": "pq", "c": "1234"}

    def refuse(one, other):
        return {one, other} == {("a", "x"), ("c", "3")}

    found = list(cover_pairs(factors, refuse))
    refused = [c for c in found if (c["a"], c["c"]) == ("x", "3")]
    assert len(refused) == 1 and len(found) <= 18
    for a, b in itertools.combinations(factors, 2):
        expected = set(itertools.product(factors[a], factors[b])) - {("x", "3")}
        assert {(c[a], c[b]) for c in found if c not in refused} == expected


@pytest.mark.timeout(1800)  # some two hundred runs
def test_every_pair_of_choices_runs_or_is_refused(small_corpora, split_keys, outputs, monkeypatch):
    from ser.train import train

    (outputs / "glove-6b-50d").mkdir()
    (outputs / "glove-6b-50d" / "tiny.txt").write_text("the 1 2 3\nder 4 5 6\n")
    monkeypatch.setenv("SER_WEIGHTS", str(outputs))  # no other choice here has weights

    groups = ("dataset", "split", "finetune", "pooling", "head", "trainer", "optimizer", "scheduler", "loss", "audio")
    factors = {group: list(list_choices(GROUPS[group])) for group in groups}
    factors["backbone"] = list(BACKBONES)
    factors["dataset"] = list(small_corpora)
    factors["head"] = [head for head in factors["head"] if head not in ("ridge_regression", "svr")]  # not of emotions
    factors["loss"] = ["cross_entropy", "label_smoothing", "focal"]
    factors["audio"] = ["default", "lufs23", "trim_energy", "trim_vad"]  # the others suit clips of other lengths
    factors["augmentation"] = ["none", "white_noise", "tempo", "union"]
    factors["class_weight"] = ["none", "balanced"]
    wrong, states = [], []
    rules = itertools.cycle(list_choices(GROUPS["fusion"]))
    for number, chosen in enumerate(cover_pairs(factors, clash)):
        network = chosen["head"] in NETWORKS
        fused = chosen["backbone"] == "fusion" and network  # other heads can take concat alone
        tune = str(chosen["head"] in TUNED).lower()
        keys = [
            *small_corpora[chosen["dataset"]],
            *(f"{name}={chosen[name]}" for name in factors if name != "dataset"),
            *SMALL.get(f"backbone={chosen['backbone']}", []),
            *([f"fusion={next(rules)}"] if fused else []),
            *SMALL.get(f"head={chosen['head']}", []),
            *SMALL.get(f"pooling={chosen['pooling']}", []),
            *([] if network else [f"head.tune={tune}", "head.inner_folds=2"]),
            *split_keys(chosen["split"], chosen["dataset"]),
            "trainer.max_epochs=1",
            "trainer.batch_size=8",
            f"paths.cache={outputs / 'cache'}",
        ]
        folder = outputs / str(number)
        expected = "refused" if any(clash(*pair) for pair in itertools.combinations(chosen.items(), 2)) else "finished"
        try:
            state, reason = train(compose(keys), folder).state, ""
        except InputError as error:
            state, reason = "refused", str(error)
        except Exception as error:
            state, reason = "crashed", f"{type(error).__name__}: {error}"
        written = folder / "metrics.json"
        scores = json.loads(written.read_text()) if written.is_file() else {}
        fine = 0 <= scores.get("test/uar", -1) <= 1 if expected == "finished" else len(reason) > 20 and not scores
        # Estimators read no optimizer and no scheduler: what differs only there is the same run.
        state = "finished" if state == "skipped" and not network else state
        states.append(state)
        if state != expected or not fine:
            wrong.append((chosen, state, reason, scores.get("test/uar")))
    assert wrong == []
    assert states.count("finished") >= max(len(factors["head"]) * 4, 60) and states.count("refused") >= 10
