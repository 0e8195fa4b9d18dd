"""The network of :class:`frames_tools.Tiny`: blocks of 10 ms through three layers, padding never in sight."""

import time

import torch
from frames_tools import DEPTH, DIM, HOP, note_lengths
from torch import nn


class TinyNetwork(nn.Module):
    rate, dim, depth = 16000, DIM, DEPTH

    def __init__(self, options):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            self.front = nn.Linear(HOP, DIM)
            self.layers = nn.ModuleList(nn.Linear(DIM, DIM) for _ in range(DEPTH - 1))
        self.options = options

    @property
    def front_end(self):
        return (self.front,)

    @property
    def blocks(self):
        return tuple(self.layers)

    def forward(self, waveforms, lengths):
        time.sleep(self.options.delay * len(lengths))
        blocks = waveforms[:, : waveforms.shape[1] // HOP * HOP].view(len(waveforms), -1, HOP)
        hidden = [self.front(blocks)]
        for layer in self.layers:
            hidden.append(hidden[-1] + layer(hidden[-1]).sin())
        if self.options.note:
            note_lengths(self.options.note, lengths.tolist())
        return hidden, lengths // HOP
