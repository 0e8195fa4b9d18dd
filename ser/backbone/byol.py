"""BYOL-A and BYOL-S, self-supervised encoders of log-mel spectrograms. Importing this loads neither torch nor weights.

Sources: Niizumi et al. (IJCNN 2021, arXiv:2103.06695), Scheidwasser-Clow et al. (ICASSP 2022, arXiv:2110.03414),
Elbanna et al. (2022, arXiv:2203.16637). The published code takes the normaliser's statistics from a whole corpus, or
from the clips of a call; here they are constants, so that what a clip yields never depends on other clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ser.backbone.base import Layer
from ser.backbone.weights import hash_files
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.byol_network import BYOLNetwork

#: Raised when the same weights come to yield other frames, so that no stored ones are taken for them.
FORWARD = 1
#: Hz at which all published encoders read clips.
RATE = 16000


@dataclass(frozen=True)
class BYOL:
    """An encoder of log-mel spectrograms and its weights.

    Args:
        source: the file of a state dict (of torch, or safetensors), or the folder with that one ``*.pth`` file;
            ``None`` for random weights.
        mean: mean of the log-mel spectrogram, subtracted from all clips.
        std: standard deviation, by which all clips are divided.
        window: length of the spectrogram's window in samples.
        layer: hidden state that a head sees; there is only one, -1.
        seed: of random weights.
        rate: sampling rate in Hz at which clips are read.

    Raises:
        InputError: a value that cannot be.
    """

    frames: ClassVar[bool] = True
    pretrained: ClassVar[bool] = True
    family: ClassVar[str]

    source: str | None = None
    mean: float = -2.693
    std: float = 4.103
    window: int = 400
    layer: Layer = -1
    seed: int = 0
    rate: int = RATE

    def __post_init__(self) -> None:
        if self.rate != RATE:
            raise InputError(f"backbone.rate={self.rate}", expected=f"{RATE} Hz, as all published encoders")
        if not self.std > 0:
            raise InputError(f"backbone.std={self.std}", expected="a standard deviation above zero")
        if not 0 < self.window <= 1024:
            raise InputError(f"backbone.window={self.window}", expected="1 to 1024 samples")

    @property
    def encoder(self) -> dict[str, Any]:
        """Parameters of the encoder."""
        raise NotImplementedError

    def find_weights(self) -> Path | None:
        """The file with the weights; none where they are random.

        Raises:
            InputError: no such file or folder, or a folder without exactly one ``*.pth`` file.
        """
        if self.source is None:
            return None
        path = Path(self.source).expanduser()
        if path.is_file():
            return path
        expected = "the file of a state dict, or the folder with that one *.pth file"
        if not path.is_dir():
            remedy = "pass backbone.source=…, or set SER_WEIGHTS where it begins with that folder"
            raise InputError(f"backbone.source={self.source}: no such file or folder", expected=expected, remedy=remedy)
        found = sorted(path.glob("*.pth"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise InputError(f"backbone.source={self.source}: *.pth files there: {names}", expected=expected)
        return found[0]

    def identify(self) -> dict[str, object]:
        """Family, versions, weights and parameters."""
        path = self.find_weights()
        libraries = ("torchaudio",) if path else ("torchaudio", "torch")  # torch draws the random weights
        return {
            "family": self.family,
            "versions": {name: version(name) for name in libraries},
            "forward": FORWARD,
            "encoder": self.encoder,
            "spectrogram": {"mean": self.mean, "std": self.std, "window": self.window},
            "rate": self.rate,
            **({"weights": hash_files([path])} if path else {"seed": self.seed}),
        }

    def bring(self, folder: Path) -> dict[str, Path]:
        """Write the weights into a folder; see :mod:`ser.deployment.weights`."""
        if self.find_weights() is None:
            return {}
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.build().encoder.state_dict(), folder / "model.safetensors")
        return {"source": folder / "model.safetensors"}

    def build(self) -> BYOLNetwork:
        """The network with its weights.

        Raises:
            InputError: weights that cannot be found, or that do not fill the network.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class BYOLAudioNTT(BYOL):
    """The convolutional encoder of BYOL-A and BYOL-S; 12.5 frames a second.

    Args:
        dim: size of the frames.
        channels: channels of the convolutions.
    """

    family: ClassVar[str] = "byol-audiontt"

    dim: int = 512
    channels: int = 64

    @property
    def encoder(self) -> dict[str, Any]:
        """Parameters of :class:`ser.backbone.byol_network.AudioNTT`."""
        return {"dim": self.dim, "channels": self.channels}

    def build(self) -> BYOLNetwork:
        """The network with its weights."""
        from ser.backbone.byol_network import AudioNTT, load_byol

        return load_byol(self, AudioNTT)


@dataclass(frozen=True)
class BYOLCvT(BYOL):
    """The convolutional transformer of Hybrid BYOL-S; 6.25 frames a second.

    Args:
        sizes: channels of each of the three stages.
        depths: layers of each stage.
        heads: attention heads of each stage.
        head_size: size of each head.
        expansion: units of the feed-forward networks over channels.

    Raises:
        InputError: not three stages.
    """

    family: ClassVar[str] = "byol-cvt"

    sizes: Sequence[int] = (64, 256, 512)
    depths: Sequence[int] = (1, 1, 1)
    heads: Sequence[int] = (1, 3, 6)
    head_size: int = 64
    expansion: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sizes", "depths", "heads"):
            values = tuple(getattr(self, name))
            if len(values) != 3:
                raise InputError(f"backbone.{name}={list(values)}", expected="three numbers, one for each stage")
            object.__setattr__(self, name, values)

    @property
    def encoder(self) -> dict[str, Any]:
        """Parameters of :class:`ser.backbone.cvt.CvT`."""
        lists = {name: list(getattr(self, name)) for name in ("sizes", "depths", "heads")}
        return lists | {"head_size": self.head_size, "expansion": self.expansion}

    def build(self) -> BYOLNetwork:
        """The network with its weights."""
        from ser.backbone.byol_network import load_byol
        from ser.backbone.cvt import CvT

        return load_byol(self, CvT)
