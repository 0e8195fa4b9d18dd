"""Training in two processes."""

import os
import pickle
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException
from process_tools import raise_odd, refuse, tell, vanish
from torch import nn
from training_tools import Log

from ser.backbone.noise import Noise
from ser.chosen import build_training, build_trunk
from ser.commands.list import list_choices, list_groups
from ser.config import compose
from ser.errors import InputError
from ser.gather import make_augmentation
from ser.head.data import Workspace
from ser.head.network import NetworkHead, fit_share, forget
from ser.head.trunk import Trunk
from ser.training.fit import Training
from ser.training.processes import train_together


def note_share(folder, share, place, log_epoch):
    """Take part in a training; note the clips of each step and the weights before a checkpoint is read."""
    from ser.training.module import EmotionModule

    steps = []
    inner, take_up = EmotionModule.training_step, Training.take_up

    def training_step(self, batch, index):
        steps.append(sorted(batch.clips))
        return inner(self, batch, index)

    def note(self, network, *others):
        torch.save({"steps": steps, "weights": network.state_dict()}, folder / f"rank-{place.rank}.pt")
        take_up(self, network, *others)

    EmotionModule.training_step, Training.take_up = training_step, note
    share(place, log_epoch)


def make_training(**options):
    settings = {
        "optimizer": partial(torch.optim.SGD, lr=0.1),
        "scheduler": None,
        "loss": nn.CrossEntropyLoss,
        "seed": 3,
        "max_epochs": 3,
        "batch_size": 8,
        "accelerator": "cpu",
        "deterministic": True,
    }
    return Training(**settings | options)


def test_two_processes_train_what_one_would(parts, tmp_path):
    train, validation = parts
    head = NetworkHead(seed=1, class_weight="none")
    stopping = {"early_stopping": {"monitor": "val/uar", "mode": "max", "patience": 50}}
    log, whole_log, folder = Log(), Log(), tmp_path / "together"
    folder.mkdir()
    training = make_training(devices=2, strategy="ddp", **stopping)
    assert training.processes == 2
    share = partial(fit_share, head, train, validation, Workspace(folder, Trunk(Noise()), training, forget))
    train_together(2, partial(note_share, folder, share), log)
    ranks = [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(2)]
    for name, weight in ranks[0]["weights"].items():
        torch.testing.assert_close(weight, ranks[1]["weights"][name], atol=0, rtol=0)
    first, second = (rank["steps"] for rank in ranks)
    assert len(first) == len(second) == 18  # 48 clips in batches of 8, 3 epochs
    for epoch in range(3):
        heard = [clip for steps in (first, second) for step in steps[6 * epoch :][:6] for clip in step]
        assert sorted(heard) == sorted(train.frame["clip"]), "every clip once an epoch, by one of them"

    workspace = Workspace(tmp_path / "alone", Trunk(Noise()), make_training(**stopping), whole_log)
    alone = head.fit(train, validation, workspace)
    for epoch, scores in whole_log.epochs.items():
        assert log.epochs[epoch] == pytest.approx(scores, abs=1e-5)
    # The checkpoints of the two processes hold what one process found; going on from them trains no more.
    together = head.fit(train, validation, Workspace(folder, Trunk(Noise()), make_training(**stopping), forget))
    for name, weight in alone.network.state_dict().items():
        torch.testing.assert_close(weight, together.network.state_dict()[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (refuse, InputError, r"a problem\n  remedy:   a remedy"),
        (vanish, RuntimeError, r"a process of the training ended with 3"),
        (raise_odd, RuntimeError, r"Odd: strange"),
    ],
)
def test_what_goes_wrong_in_one_process_ends_all(work, error, message):
    began = time.monotonic()
    with pytest.raises(error, match=message):
        train_together(2, work, Log())
    assert time.monotonic() - began < 30


def test_epochs_are_told_to_the_main_process_before_training_goes_on():
    log = Log()
    train_together(2, tell, log)
    assert log.epochs == {0: {"a": 0.0}, 1: {"a": 0.5}, 2: {"a": 1.0}}
    with pytest.raises(KeyboardInterrupt):
        train_together(2, tell, Log(1, KeyboardInterrupt))


SLEEPERS = """
import os, sys, time
sys.path.insert(0, {folder!r})
from ser.training.processes import train_together
from process_tools import write_and_sleep
train_together(2, write_and_sleep, print)
"""


def is_running(process):
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_no_process_outlives_a_main_process_that_was_killed(tmp_path):
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS.format(folder=str(Path(__file__).parent)))
    (tmp_path / "pids").mkdir()
    environment = {**os.environ, "SLEEPERS": str(tmp_path / "pids")}
    main = subprocess.Popen([sys.executable, str(script)], env=environment)
    end = time.monotonic() + 60
    while len(found := [int(path.name) for path in (tmp_path / "pids").iterdir()]) < 2:
        assert main.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.kill(main.pid, signal.SIGKILL)
    main.wait()
    while any(map(is_running, found)):
        assert time.monotonic() < end, "they go on unseen"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "ddp_spawn"}, r"(?s)strategy=ddp_spawn.*strategy=ddp "),
        ({"strategy": "fsdp"}, r"strategy=fsdp"),
        ({"num_nodes": 2}, r"num_nodes=2"),
    ],
)
def test_ways_of_training_that_do_not_work_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        make_training(**options)


def test_devices_are_checked_before_anything_else():
    with pytest.raises(InputError, match=r"batch_size=1: it is divided among 2 devices"):
        make_training(devices=2, batch_size=1).check_target(())
    with pytest.raises(InputError, match=r"devices=0"):
        make_training(devices=0).check_target(())
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"devices=2"):
            make_training(devices=2, accelerator="gpu").check_target(())
    assert make_training(devices=2).processes == make_training(devices="2").processes == 2
    assert make_training(devices=1, strategy="ddp").processes == make_training().processes == 1


def test_all_that_a_process_needs_can_be_handed_over(build_part, tmp_path):
    groups = list_groups()
    choices = {
        "augmentation": list_choices(groups["augmentation"]),
        "pooling": [c for c in list_choices(groups["pooling"]) if c != "branches"],  # whose frames have no parts here
        "scheduler": list_choices(groups["scheduler"]),
        "optimizer": list_choices(groups["optimizer"]),
        "loss": list_choices(groups["loss"]),
        "finetune": [c for c in list_choices(groups["finetune"]) if c != "frozen"],
    }
    for group, names in choices.items():
        for name in names:
            config = compose(["backbone=tiny_wav2vec2", "finetune=lora", f"{group}={name}"])
            made = build_trunk(config), build_training(config)
            if group == "augmentation":
                try:
                    made = (*made, make_augmentation(config))
                except InstantiationException:  # it needs a folder of recordings
                    continue
            assert pickle.loads(pickle.dumps(made)), f"{group}={name}"
    part = build_part()
    again = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(again.features, part.features)
