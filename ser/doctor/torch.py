"""torch, its devices, and torchaudio, whose compiled part may not load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ser.doctor.finding import ERROR, OK, WARNING, Finding
from ser.errors import InputError

#: Imports both in a process of its own: a failed import leaves half a module behind.
LOOK = """
import json, sys
import torch
cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
found = {"torch": torch.__version__, "cuda": cuda, "mps": torch.backends.mps.is_available(),
         "threads": torch.get_num_threads(), "built": torch.version.cuda}
try:
    import torchaudio
    found["torchaudio"] = torchaudio.__version__
except Exception as error:
    found["reason"] = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
json.dump(found, sys.stdout)
"""
FIX = "ser doctor --fix sets its compiled extension aside: its pure PyTorch paths, the only ones ser uses, work without"
REINSTALL = "its compiled extension is no longer there, so install torchaudio again: make install"
#: s until torch must be imported.
PATIENCE = 120
#: Where Linux has the driver of an NVIDIA device.
DRIVER = Path("/proc/driver/nvidia/version")


def start_look() -> subprocess.Popen[str]:
    """Begin to import torch and torchaudio elsewhere; this takes seconds, in which other checks are made."""
    return subprocess.Popen([sys.executable, "-c", LOOK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_torch(looking: subprocess.Popen[str]) -> Iterator[Finding]:
    """torch with its devices, and torchaudio.

    Args:
        looking: what :func:`start_look` began.
    """
    try:
        out, err = looking.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        looking.kill()
        looking.communicate()
        yield Finding(ERROR, f"torch is not imported after {PATIENCE} s", "try again when the machine has less to do")
        return
    if looking.returncode:
        last = err.strip().splitlines()[-1] if err.strip() else "no message"
        yield Finding(ERROR, f"torch cannot be imported ({last})", "make install, or pip install torch")
        return
    yield from describe(json.loads(out))


def describe(found: dict[str, object]) -> Iterator[Finding]:
    """Findings from what the process printed."""
    gpus = list(found["cuda"])  # type: ignore[call-overload]
    devices = ", ".join(gpus) or ("Apple's MPS" if found["mps"] else "no GPU")
    text = f"torch {found['torch']}: {devices}; {found['threads']} threads on the CPU"
    if not gpus and DRIVER.exists():
        built = "is built without CUDA" if found["built"] is None else "cannot use it"
        yield Finding(
            WARNING, f"{text}. There is an NVIDIA driver, but this torch {built}", "install torch as pytorch.org says"
        )
    else:
        yield Finding(OK, text)
    if find_spec("torchaudio") is None:
        yield Finding(ERROR, "torchaudio is not installed", "pip install torchaudio")
    elif "reason" in found:
        remedy = FIX if list_compiled() else REINSTALL
        yield Finding(ERROR, f"torchaudio cannot be imported ({found['reason']})", remedy)
    else:
        aside = " (compiled extension set aside)" if find_aside().is_dir() else ""
        yield Finding(OK, f"torchaudio {found['torchaudio']}{aside}")


def set_extension_aside() -> list[Path]:
    """Move torchaudio's compiled extension out of the way; returns what was moved, empty if nothing was there.

    A torch build without CUDA cannot load the extension of torchaudio's CUDA wheel; without the files torchaudio works
    in pure PyTorch.
    """
    compiled, aside = list_compiled(), find_aside()
    if compiled:
        aside.mkdir(exist_ok=True)
    return [path.rename(aside / path.name) for path in compiled]


def list_compiled() -> list[Path]:
    """torchaudio's compiled files."""
    return sorted(find_aside().parent.glob("*.so"))


def find_aside() -> Path:
    """The folder for what was set aside, inside torchaudio's own."""
    spec = find_spec("torchaudio")
    if spec is None or spec.origin is None:
        raise InputError("torchaudio is not installed", remedy="pip install torchaudio")
    return Path(spec.origin).parent / "lib" / "set-aside"


def check_opensmile() -> Finding:
    """openSMILE is there, and what its licence allows."""
    try:
        found = version("opensmile")
    except PackageNotFoundError:
        return Finding(ERROR, "opensmile is not installed", "pip install opensmile")
    return Finding(OK, f"opensmile {found} (licence: research and education; commercial use needs audEERING's licence)")
