"""Networks for tests of relevance, in double precision: real ones with moved weights, plain ones, biases or none."""

import torch
from torch import nn

from ser.chosen import build_trunk
from ser.config import compose
from ser.head.emotion_network import Shape
from ser.head.end_to_end import EndToEnd, FromSpectrogram, FromWaveform
from ser.head.network import NetworkHead

STABLE = [
    "+backbone.config.do_stable_layer_norm=true",
    "backbone.config.feat_extract_norm=layer",
    "+backbone.config.conv_bias=true",
]
#: Every family with both orders of normalisation that it has.
WAVEFORMS = {
    "wav2vec2": ("tiny_wav2vec2", []),
    "wav2vec2, layer norm": ("tiny_wav2vec2_layer_norm", []),
    "HuBERT": ("tiny_hubert", []),
    "HuBERT, stable": ("tiny_hubert", STABLE),
    "HuBERT, batch norm": ("tiny_hubert", ["+backbone.config.conv_pos_batch_norm=true"]),
    "WavLM": ("tiny_wavlm", []),
    "WavLM, stable": ("tiny_wavlm", STABLE),
    "data2vec": ("tiny_data2vec", []),
}
SPECTROGRAMS = {
    "mel CNN": ("mel_cnn_small", ["backbone.width=4"]),
    "BYOL": ("tiny_byol", []),
    "CvT": ("tiny_cvt", []),
    "Whisper": ("tiny_whisper", []),
}
NETWORKS = WAVEFORMS | SPECTROGRAMS
TRANSFORMERS = [*WAVEFORMS, "CvT", "Whisper"]
POOLINGS = ("mean", "sum", "max", "mean_std", "mean_plus_max", "attention", "attentive_statistics", "ecapa")


def make_network(name, *overrides, biases=True):
    """A network from inputs to three logits, every weight moved."""
    choice, own = NETWORKS[name]
    trunk = build_trunk(compose([f"backbone={choice}", "finetune=full", *own, *overrides]))
    torch.manual_seed(0)
    top = NetworkHead().build(3, Shape("audio", ()), trunk)
    whole = EndToEnd(top.backbone, top, trunk.reading, Shape("audio", ()), ("a", "b", "c"), ())
    return prepare((FromSpectrogram if name in SPECTROGRAMS else FromWaveform)(whole), biases)


def prepare(network, biases=True, seed=0):
    """The network with moved weights, or without anything that is added to what depends on the inputs."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            spread = 0.3 * weight.std(unbiased=False).clamp(min=0.1)
            weight.add_(spread * torch.randn(weight.shape, generator=generator))
            if not biases and (name.endswith(("bias", ".b")) or "embed_positions" in name):
                weight.zero_()
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * (0.3 if biases else 0.0))
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return network.double().eval().requires_grad_(False)


def make_inputs(name, count=2):
    """Waveforms [B, T] or spectrograms [B, M, F] as a network reads them."""
    generator = torch.Generator().manual_seed(1)
    bands = {"mel CNN": 64, "BYOL": 64, "CvT": 64, "Whisper": 80}
    shape = (bands[name], 40) if name in bands else (4000,)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


class Plain(nn.Module):
    """Convolutions, ReLUs, a pool and a linear layer, without normalisation."""

    def __init__(self, pool=None, activation=nn.ReLU, bias=False, channels=4):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=bias)
        self.act1 = activation()
        self.pool = pool or nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3, stride=2, bias=bias)
        self.act2 = activation()
        self.mean = nn.AdaptiveAvgPool2d(2)
        self.linear = nn.Linear(8 * channels, 3, bias=bias)

    def forward(self, x):
        x = self.pool(self.act1(self.conv1(x)))
        return self.linear(self.mean(self.act2(self.conv2(x))).flatten(1))


def make_images(count=2, low=None):
    """Small maps [B, 1, H, W]; none below ``low``."""
    maps = torch.randn(count, 1, 12, 14, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return maps if low is None else maps.clamp(min=low)


def measure_sums(traced):
    """What reached the inputs and what entered, of each clip."""
    return traced.find_relevance().flatten(1).sum(1), traced.start.detach()
