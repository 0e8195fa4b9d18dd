"""The convolutional transformer of Hybrid BYOL-S; equality alone and in batches is tested with the other encoders."""

import numpy as np
import torch

from ser.backbone.byol import BYOLCvT
from ser.backbone.cvt import ChannelNorm, CvT

# Keys and shapes of the published checkpoint, cvt_s1-d1-e64_s2-d1-e256_s3-d1-e512_BYOLAs64x96-osandbyolaloss6373-e100-
# bs256-lr0003-rs42.pth. The file was not at hand: the table follows the class CvT in byol_a/models/cvt.py of
# github.com/GasserElbanna/serab-byols with the values that serab_byols/config.yaml gives it (as kept in
# s3prl/upstream/byol_s of github.com/s3prl/s3prl): depths 1 1 1, embed_dims 64 256 512, mlp_mults 4 4 4, cvt_pool
# mean+max, and the class's own heads 1 3 6 of 64. A row holds the shapes at stages 0, 1 and 2; S is the stage.
PUBLISHED = """
layers.S.0.weight                                     | 64 1 7 7   | 256 64 3 3   | 512 256 3 3
layers.S.0.bias                                       | 64         | 256          | 512
layers.S.1.g                                          | 1 64 1 1   | 1 256 1 1    | 1 512 1 1
layers.S.1.b                                          | 1 64 1 1   | 1 256 1 1    | 1 512 1 1
layers.S.2.layers.0.0.norm.g                          | 1 64 1 1   | 1 256 1 1    | 1 512 1 1
layers.S.2.layers.0.0.norm.b                          | 1 64 1 1   | 1 256 1 1    | 1 512 1 1
layers.S.2.layers.0.0.fn.to_q.net.0.weight            | 64 1 3 3   | 256 1 3 3    | 512 1 3 3
layers.S.2.layers.0.0.fn.to_q.net.1.weight            | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_q.net.1.bias              | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_q.net.1.running_mean      | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_q.net.1.running_var       | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_q.net.1.num_batches_tracked |          |              |
layers.S.2.layers.0.0.fn.to_q.net.2.weight            | 64 64 1 1  | 192 256 1 1  | 384 512 1 1
layers.S.2.layers.0.0.fn.to_kv.net.0.weight           | 64 1 3 3   | 256 1 3 3    | 512 1 3 3
layers.S.2.layers.0.0.fn.to_kv.net.1.weight           | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_kv.net.1.bias             | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_kv.net.1.running_mean     | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_kv.net.1.running_var      | 64         | 256          | 512
layers.S.2.layers.0.0.fn.to_kv.net.1.num_batches_tracked |         |              |
layers.S.2.layers.0.0.fn.to_kv.net.2.weight           | 128 64 1 1 | 384 256 1 1  | 768 512 1 1
layers.S.2.layers.0.0.fn.to_out.0.weight              | 64 64 1 1  | 256 192 1 1  | 512 384 1 1
layers.S.2.layers.0.0.fn.to_out.0.bias                | 64         | 256          | 512
layers.S.2.layers.0.1.norm.g                          | 1 64 1 1   | 1 256 1 1    | 1 512 1 1
layers.S.2.layers.0.1.norm.b                          | 1 64 1 1   | 1 256 1 1    | 1 512 1 1
layers.S.2.layers.0.1.fn.net.0.weight                 | 256 64 1 1 | 1024 256 1 1 | 2048 512 1 1
layers.S.2.layers.0.1.fn.net.0.bias                   | 256        | 1024         | 2048
layers.S.2.layers.0.1.fn.net.3.weight                 | 64 256 1 1 | 256 1024 1 1 | 512 2048 1 1
layers.S.2.layers.0.1.fn.net.3.bias                   | 64         | 256          | 512
"""


def read_table():
    table = {}
    for row in filter(None, PUBLISHED.split("\n")):
        name, *shapes = row.split("|")
        for stage, shape in enumerate(shapes):
            table[name.strip().replace("S", str(stage))] = tuple(map(int, shape.split()))
    return table


def fill(network):
    """Give all parameters and statistics values from a formula, of a size that keeps the activations in hand."""
    with torch.no_grad():
        for number, (name, tensor) in enumerate(sorted(network.state_dict().items())):
            if tensor.dtype != torch.float32:
                continue
            wave = torch.from_numpy(np.sin(0.37 * np.arange(tensor.numel()) ** 1.1 + number)).float().view(tensor.shape)
            if name.endswith(("running_var", ".g", "1.weight")):
                tensor.copy_(1 + 0.5 * wave)
            elif tensor.dim() == 4 and len(tensor) > 1:
                tensor.copy_(0.5 * wave / tensor[0].numel() ** 0.5)
            else:
                tensor.copy_(0.1 * wave)
    return network.eval()


def test_keys_and_shapes_are_those_published():
    table = read_table()
    assert len(table) == 84
    with torch.device("meta"):
        assert {name: tuple(tensor.shape) for name, tensor in CvT().state_dict().items()} == table


@torch.inference_mode()
def test_it_computes_as_published():
    """Against numbers of the published class, written down anew, for the same parameters and input (float32)."""
    mel = torch.from_numpy(np.cos(0.11 * np.arange(64 * 45) ** 1.05)).float().view(1, 64, 45)
    (frames,), (length,) = fill(CvT())(mel, torch.tensor([45]))
    assert frames.shape == (3, 2048)
    assert length == 3
    expected = [
        [1.20957, -1.01386, -2.26323, -0.41021, 1.72569],
        [-1.16792, 2.1895, 1.0505, 0.84163, -1.2613],
        [0.04585, -1.84108, -0.51446, -0.20109, 1.7042],
    ]
    torch.testing.assert_close(frames[:, [0, 511, 512, 1300, 2047]], torch.tensor(expected), atol=1e-3, rtol=1e-3)
    pooled = frames.mean(0) + frames.amax(0)  # the published scene embedding
    torch.testing.assert_close(pooled.square().sum(), torch.tensor(2750.4346), atol=0.1, rtol=1e-4)


def test_the_published_size():
    network = BYOLCvT().build()
    assert network.dim == 2048
    assert len(network.blocks) == 3
    (hidden,), lengths = network(torch.zeros(1, 16000), torch.tensor([16000]))
    assert hidden.shape == (1, 7, 2048)  # 101 frames of the spectrogram, then 26, 13 and 7
    assert lengths.tolist() == [7]


def test_equal_channels_do_not_break_training():
    x = torch.ones(1, 4, 2, 3, requires_grad=True)
    ChannelNorm(4)(x).sum().backward()
    assert x.grad.isfinite().all()
