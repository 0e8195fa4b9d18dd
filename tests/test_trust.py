import pytest

from ser.config import compose
from ser.errors import InputError
from ser.trust import check_targets, is_trusted


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["head=svm", "dataset=emodb", "split=loso"],
        ["backbone=mel_cnn", "augmentation=union", "optimizer=adam_amsgrad", "scheduler=warmup_linear"],
        ["backbone=tiny_hubert", "finetune=lora", "pooling=ecapa", "loss=focal", "scheduler=reduce_on_plateau"],
        ["data.train=[emodb]", "data.test=[emovo]", "dataset.target=[arousal]"],
    ],
)
def test_our_own_configurations_are_trusted(overrides):
    check_targets(compose(overrides), "config.yaml")


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "torch.hub.load",
        "torch.load",
        "ser.launch.os.system",  # what a module imports is not its own
        "ser.launch.shutil.rmtree",
        "ser.results.Path",
        "sklearn.utils.os.system",
        "torch.nn.modules.module.OrderedDict",
        "ser.train.train",  # a function
        "ser.nothing.Here",
        "ser.head.network",
        "serious.Thing",
        "torch.nn",
        "Thing",
        "",
    ],
)
def test_anything_else_is_not(target):
    assert not is_trusted(target)
    with pytest.raises(InputError, match=r"(?s)config.yaml: it would run .*classes of ser, sklearn"):
        check_targets({"head": {"list": [{"_target_": target}]}}, "config.yaml")


def test_nothing_is_imported_to_find_out(tmp_path, monkeypatch):
    (tmp_path / "mischief.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nclass Thing: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_trusted("mischief.Thing")
    assert not (tmp_path / "mark").exists()
