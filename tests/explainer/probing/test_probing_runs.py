"""The three explainers on finished runs: what they write, and that it makes sense."""

import pandas as pd
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.explainer.probing.controls import LogMelStatistics, Untrained
from ser.explainer.probing.targets import GROUPS, TEMPORAL, find_group, find_medoids
from ser.explainer.whole import RunExplainer


def make(choice, **changes):
    config = compose([f"explainer={choice}"], "explain").explainer
    return instantiate(OmegaConf.merge(config, changes))


@pytest.mark.parametrize("choice", ["probing", "importance", "probing_published"])
def test_choices_explain_runs(choice):
    assert isinstance(make(choice), RunExplainer)


def test_probing_writes_tables_and_figures(make_run, tmp_path):
    run = make_run("backbone=tiny_whisper", "head=linear", "pooling=mean_std")
    metrics = make("probing", permutations=20, draws=3).examine(run, tmp_path)
    probes = pd.read_parquet(tmp_path / "probes.parquet")
    assert {"energy", "frequency", "spectral", "temporal", "planted dose", "planted cue"} <= set(probes["group"])
    assert probes[["r2", "within_r2", "r2_permuted", "r2_untrained", "r2_logmel", "r2_identity"]].notna().all().all()
    assert (probes["p_max"] >= probes["p"] - 1e-12).all() and probes["q"].between(0, 1).all()
    assert {"used_direction_z", "used_erasure_z", "encoded", "used"} <= set(probes)
    top = pd.read_parquet(tmp_path / "top.parquet")
    assert set(top["emotion"]) == {"all", *run.corpus.manifest.emotions}
    curves = pd.read_parquet(tmp_path / "curves.parquet")
    assert set(curves["arm"]) == {"top", "rest", "bottom", "random"}
    assert {f"{name}.svg" for name in ("encoded", "used", "curves", "top")} <= {
        path.name for path in (tmp_path / "figures").iterdir()
    }
    assert 0 <= metrics["planted/auroc/within_r2"] <= 1 and "probe/curve/top/uar" in metrics


def test_probing_takes_all_layers_and_trained_backbones(make_run, tmp_path):
    run = make_run("backbone=tiny_wav2vec2", "finetune=full", "head=linear")
    make("probing", permutations=20, draws=0, layers="all", untrained=False).examine(run, tmp_path)
    probes = pd.read_parquet(tmp_path / "probes.parquet")
    assert len(set(probes["layer"])) > 2 and "r2_untrained" not in probes
    used = probes.groupby("layer")["used_direction_z"].apply(lambda own: own.notna().all())
    assert used.sum() == 1 and used.iloc[-1]  # the head reads the last layer alone


def test_importance_joins_probes_of_the_same_folds(make_run, tmp_path):
    run = make_run("backbone=noise", "head=logreg", "head.tune=false")
    metrics = make("importance", repeats=3).examine(run, tmp_path)
    table = pd.read_parquet(tmp_path / "importance.parquet")
    assert len(table) == 88 * len(run.corpus.manifest.emotions)
    assert (table.groupby("emotion")["rank"].apply(sorted) == pd.Series([list(range(1, 89))] * 6).to_numpy()).all()
    assert (table["coefficient_low"] <= table["coefficient"]).all()
    assert table[["r_top", "r_all", "permutation"]].notna().all().all()
    assert abs(metrics["importance/r2_all"]) < 0.1  # noise says nothing of functionals
    assert metrics["importance/uar"] > 1 / 6
    assert r"\toprule" in (tmp_path / "importance.tex").read_text()


def test_functionals_are_not_probed_by_themselves(make_run, tmp_path):
    run = make_run("backbone=egemaps", "head=logreg", "head.tune=false")
    make("importance", repeats=2).examine(run, tmp_path)
    assert "r_all" not in pd.read_parquet(tmp_path / "importance.parquet")


def test_the_published_protocol_runs_both_ways(make_run, tmp_path):
    run = make_run("backbone=noise", "head=logreg", "head.tune=false")
    metrics = make("probing_published", clips=12, sizes=[10, 20, 40]).examine(run, tmp_path)
    assert metrics["published/leaky/f1_top"] > metrics["published/corrected/f1_top"]
    table = pd.read_csv(tmp_path / "published.csv")
    assert set(table["arm"]) == {"leaky (published)", "corrected"}
    for name in ("f1_functionals", "f1_all", "f1_top", "gain"):
        assert (table[f"{name}_low"] <= table[name] + 1e-12).all() and (table[f"{name}_low"] < 1).all()
        assert (table[name] <= table[f"{name}_high"] + 1e-12).all()
    assert (tmp_path / "published.tex").read_text().count(r"\toprule") == 2
    assert (tmp_path / "figures" / "published.png").is_file()


def test_what_cannot_be_probed_is_refused_before_training():
    mixed = build_trunk(compose(["backbone=tiny_whisper", "backbone.layer=mix"]))
    for choice in ("probing", "importance", "probing_published"):
        with pytest.raises(InputError, match="mixture"):
            make(choice).check_trunk(mixed, None)
    make("probing", layers="all").check_trunk(mixed, None)
    with pytest.raises(InputError, match="trained backbone"):
        trained = build_trunk(compose(["backbone=tiny_wav2vec2", "finetune=full"]))
        make("probing_published").check_trunk(trained, None)
    with pytest.raises(InstantiationException) as refused:  # the command line shows its cause
        make("probing", permutations=3)
    assert isinstance(refused.value.__cause__, InputError) and "permutations" in str(refused.value.__cause__)


def test_functionals_are_grouped(make_run):
    run = make_run("backbone=egemaps", "head=logreg", "head.tune=false")
    names = run.trunk.backbone.names
    groups = pd.Series([find_group(name, pd.DataFrame()) for name in names], index=names)
    assert groups.value_counts().to_dict() == {"spectral": 43, "frequency": 24, "energy": 15, "temporal": 6}
    assert set(groups) == {*GROUPS, TEMPORAL}


def test_clusters_have_a_medoid():
    import numpy as np

    rng = np.random.default_rng(0)
    base = rng.normal(size=(200, 2))
    values = np.column_stack([base[:, 0], -base[:, 0] + 0.2 * rng.normal(size=200), base[:, 1]])
    found = find_medoids(values, ["a", "b", "c"])
    assert found[0] == found[1] in ("a", "b") and found[2] == "c"


def test_untrained_networks_have_other_weights_and_come_again():
    import numpy as np
    import torch

    backbone = build_trunk(compose(["backbone=tiny_byol"])).backbone
    with torch.inference_mode():
        waves, lengths = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0)), torch.tensor([8000, 8000])
        trained, first, again = (
            one.build().eval()(waves, lengths)[0][-1] for one in (backbone, *[Untrained(backbone, 3)] * 2)
        )
    assert torch.equal(first, again) and not torch.allclose(first, trained)
    assert Untrained(backbone, 3).identify() != Untrained(backbone, 4).identify()
    assert np.isfinite(LogMelStatistics(16000).compute(waves[0].numpy())).all()
