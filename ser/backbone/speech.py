"""wav2vec 2.0, HuBERT, WavLM and data2vec-audio of transformers. Importing this loads neither torch nor weights.

Sources: Baevski et al. (2020), Hsu et al. (2021), Chen et al. (2022), Baevski et al. (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ser.backbone.transformer import Transformer
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.speech_network import SpeechNetwork


@dataclass(frozen=True)
class Speech(Transformer):
    """A self-supervised network on waveforms; the encoder alone, without any head that a checkpoint has.

    Args:
        normalise: bring each clip to zero mean and unit variance first; ``None`` for what the checkpoint's
            preprocessor_config.json says, and yes for random weights.
    """

    families: ClassVar[tuple[str, ...]] = ("wav2vec2", "hubert", "wavlm", "data2vec-audio")

    normalise: bool | None = None

    def choose_normalise(self) -> bool:
        """Whether clips are normalised.

        Raises:
            InputError: neither the user nor the checkpoint says it; networks of one family differ in it.
        """
        if self.normalise is not None or self.checkpoint is None:
            return self.normalise is not False
        said = self.checkpoint.read_preprocessor().get("do_normalize")
        if said is None:
            raise InputError(
                f"backbone.source={self.source}: no preprocessor_config.json there says whether clips are normalised",
                remedy="pass backbone.normalise=true or false, as the network was trained",
            )
        return bool(said)

    def identify(self) -> dict[str, object]:
        """Everything that decides the frames."""
        return super().identify() | {"normalise": self.choose_normalise()}

    def build(self) -> SpeechNetwork:
        """The network with its weights."""
        from ser.backbone.speech_network import load_speech

        return load_speech(self)
