"""What is heard, for a page: the audio itself, its outline and its spectrogram."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np

#: The spectrogram reaches from 0 to this, in Hz, on the mel scale.
TOP = 8000.0
BANDS = 80
FRAMES_PER_SECOND = 100
#: dB below the loudest cell at which a cell is blank, and in how many shades what lies between is drawn.
RANGE, SHADES = 70.0, 36
OUTLINE_COLUMNS = 320


def to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """The mel scale of O'Shaughnessy (1987), as the page's script computes it too."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def encode_audio(waveform: np.ndarray, rate: int) -> str:
    """A WAV file of 16 bits as a data URI; what exceeds full scale is turned down as a whole.

    FLAC would take two thirds of the bytes, but Chromium fails to seek in one as short as a clip.
    """
    import soundfile

    buffer = io.BytesIO()
    louder = max(1.0, float(np.abs(waveform).max()))
    soundfile.write(buffer, waveform / louder, rate, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode()


def trace_outline(waveform: np.ndarray) -> str:
    """Path of an SVG: minimum and maximum of each column, in a box of ``OUTLINE_COLUMNS`` x 100."""
    starts = np.linspace(0, len(waveform), OUTLINE_COLUMNS, endpoint=False).astype(int)
    peak = float(np.abs(waveform).max()) or 1.0
    upper = np.floor(50 - 49 * np.maximum.reduceat(waveform, starts) / peak).astype(int)
    lower = np.ceil(50 - 49 * np.minimum.reduceat(waveform, starts) / peak).astype(int)
    forth = " ".join(f"{x} {y}" for x, y in enumerate(upper))
    back = " ".join(f"{x} {y}" for x, y in reversed(list(enumerate(lower))))
    return f"M{forth} {back}Z"


def compute_log_mel(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Power in dB [BANDS, frames] of frames that divide the clip evenly, a hundred a second; low bands first."""
    frames = max(1, round(len(waveform) / rate * FRAMES_PER_SECOND))
    length = round(0.025 * rate)
    size = 2 ** int(np.ceil(np.log2(4 * length)))  # finer than the window resolves, or low bands would hold no bin
    centres = ((np.arange(frames) + 0.5) * len(waveform) / frames).astype(int)
    padded = np.pad(waveform, (length // 2, length))
    cut = padded[centres[:, None] + np.arange(length)] * np.hanning(length)
    power = np.abs(np.fft.rfft(cut, size)) ** 2
    return 10 * np.log10(_make_filters(size, rate) @ power.T + 1e-12)


def draw_spectrogram(waveform: np.ndarray, rate: int) -> str:
    """The log-mel spectrogram as a data URI of a grey PNG: a column a frame, 8 kHz on top, silence white."""
    decibels = compute_log_mel(waveform, rate)
    level = np.clip((decibels - decibels.max()) / RANGE + 1, 0, 1)
    grey = 255 - np.round(np.round(level * (SHADES - 1)) * (255 / (SHADES - 1)))
    return "data:image/png;base64," + base64.b64encode(encode_png(grey[::-1].astype(np.uint8))).decode()


def encode_png(grey: np.ndarray) -> bytes:
    """A grey picture, uint8 [height, width], as a PNG file."""
    height, width = grey.shape
    lines = np.pad(grey, ((0, 0), (1, 0))).tobytes()  # each line opens with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _make_filters(size: int, rate: int) -> np.ndarray:
    """Triangles of unit area, evenly spread on the mel scale [BANDS, bins]."""
    mels = to_mel(np.fft.rfftfreq(size, 1 / rate))
    edges = np.linspace(0, float(to_mel(TOP)), BANDS + 2)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.clip(np.minimum((mels - low) / (middle - low), (high - mels) / (high - middle)), 0, None)
    return filters / np.maximum(filters.sum(1, keepdims=True), 1e-9)
