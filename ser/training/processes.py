"""One training in several processes, one for each device; everything around it stays in one.

Lightning's own way with ``strategy=ddp`` is to start the command again for each further device. Each of those would
begin a run, a directory and predictions of its own, and Hydra gives them other directories and other overrides
(https://github.com/Lightning-AI/pytorch-lightning/issues/11300, …/15545, …/18175). Here processes begin where the
training begins: each gets what :meth:`ser.head.network.NetworkHead.fit` gets, builds the network anew and trains it on
its share of every batch; the first one writes the checkpoints and tells the main process of every epoch. The main
process logs, waits, and goes on from the checkpoints.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from threading import Thread
from traceback import format_exc
from typing import Any

LogEpoch = Callable[[Mapping[str, float], int], None]


@dataclass(frozen=True)
class Place:
    """One of several processes that train together.

    Attributes:
        rank: its number, from 0.
        count: how many there are.
        meeting: file by which they find each other.
    """

    rank: int = 0
    count: int = 1
    meeting: str = ""

    def join(self, device: str) -> None:
        """Wait for the others, so that they can compute together on ``cpu`` or ``cuda``."""
        import torch.distributed as together

        # By a file of this training alone: a free port that is looked up first may be taken by then.
        together.init_process_group(
            "nccl" if device == "cuda" else "gloo",
            init_method=Path(self.meeting).as_uri(),
            rank=self.rank,
            world_size=self.count,
        )

    def leave(self) -> None:
        """End computing together."""
        import torch.distributed as together

        together.destroy_process_group()

    def gather(self, items: Sequence[Any]) -> list[Any]:
        """Items of all processes, by rank; each process must ask for them."""
        if self.count == 1:
            return list(items)
        import torch.distributed as together

        each: list[Any] = [None] * self.count
        together.all_gather_object(each, list(items))
        return [item for part in each for item in part]


#: The place of a training in one process.
ALONE = Place()

#: What a process does: its place, and how it tells the main process of an epoch.
Work = Callable[[Place, LogEpoch], None]


def train_together(count: int, work: Work, log_epoch: LogEpoch) -> None:
    """Do the work in several processes and wait for all; if one fails, or this one does, all of them end.

    Args:
        count: how many.
        work: can be pickled.
        log_epoch: takes the metrics of an epoch and its number, in this process. Its checkpoint waits for that, so that
            none is ahead of what was logged.

    Raises:
        Exception: what the first process to fail raised.
    """
    packed = pickle.dumps(work)
    processes: dict[Connection, Popen] = {}
    with TemporaryDirectory(prefix="ser-") as folder:
        try:
            for rank in range(count):
                pipe, process = start(rank)
                processes[pipe] = process
                with suppress(OSError):  # it is gone already, which is noticed below
                    pipe.send((Place(rank, count, str(Path(folder) / "meeting")), packed))
            listen(dict(processes), log_epoch)
        finally:
            for pipe, process in processes.items():
                process.kill()
                process.communicate()  # waits, and closes its standard input
                pipe.close()


def start(rank: int) -> tuple[Connection, Popen]:
    """A process of its own, and the pipe to it.

    Not by multiprocessing, whose processes import the main script again, and begin as those of their launcher do
    (joblib's workers cannot start any); a copy by fork hangs where a GPU or OpenMP was used before.
    """
    mine, theirs = Pipe()
    environment = {
        "LOCAL_RANK": str(rank),  # tells Lightning which device, and to start no processes
        "TORCH_CPP_LOG_LEVEL": "ERROR",  # no advice on weights that may get no gradient
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    code = f"from ser.training.processes import take_part; take_part({theirs.fileno()})"
    command = [sys.executable, "-c", code]
    process = Popen(command, stdin=PIPE, pass_fds=[theirs.fileno()], env=environment)
    theirs.close()
    return mine, process


def listen(processes: dict[Connection, Popen], log_epoch: LogEpoch) -> None:
    """Take what processes tell until all have ended well."""
    while processes:
        for pipe in wait(list(processes)):
            assert isinstance(pipe, Connection)
            try:
                told = pipe.recv()
            except (EOFError, ConnectionError):
                code = processes.pop(pipe).wait()
                if code:
                    raise RuntimeError(f"a process of the training ended with {code}") from None
                continue
            if isinstance(told, BaseException):
                raise told
            log_epoch(*told)
            pipe.send(None)


def take_part(descriptor: int) -> None:
    """What one process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process hears it too, and ends all
    Thread(target=end_with_parent, daemon=True).start()
    pipe = Connection(descriptor)

    def log_epoch(metrics: Mapping[str, float], epoch: int) -> None:
        pipe.send((metrics, epoch))
        pipe.recv()

    try:
        place, packed = pipe.recv()
        work: Work = pickle.loads(packed)
        work(place, log_epoch)
    except BaseException as error:
        pipe.send(pack(error))
        sys.exit(1)


def end_with_parent() -> None:
    """End at once when the main process is gone, however it went; else a killed training would go on unseen."""
    os.read(0, 1)  # nothing is ever written to its standard input, which the main process holds open
    os._exit(1)


def pack(error: BaseException) -> BaseException:
    """The error with its traceback, as another process can read it."""
    error.add_note(format_exc())
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}\n{format_exc()}")
