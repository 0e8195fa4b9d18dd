"""Clips with known maps, a reader of the page, and Chromium driven over its own debugging pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ser.explainer.attribution import Attribution
from ser.explainer.viewer import CueLine, ViewerClip

RATE = 16000
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
]
#: Chromium reads commands from descriptor 3 and writes to 4.
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
DATA = re.compile(r'<script type="application/json" class="data">(.*?)</script>')


def make_wave(seconds=1.0, pitch=160.0, seed=0):
    """A voice-like tone that rises and falls, with a little noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 9))
    wave = harmonics * np.sin(np.pi * time / seconds) ** 2
    return (0.2 * wave + 0.005 * np.random.default_rng(seed).normal(size=len(time))).astype(np.float32)


def make_attribution(clip, method, values, offset=0.0, seconds=1.0, reasons=(), target="anger"):
    """Values spread evenly over the clip; bands in the middle of equal mel steps."""
    frames = values.shape[-1]
    step = seconds / frames
    freqs = None
    if values.ndim == 2:
        mels = (np.arange(len(values)) + 0.5) / len(values) * 2595 * np.log10(1 + 8000 / 700)
        freqs = 700 * (10 ** (mels / 2595) - 1)
    times = offset + (np.arange(frames) + 0.5) * step
    named = {"target": target, "predicted": "anger", "true": "anger", "score": 1.0, "reasons": tuple(reasons)}
    return Attribution(clip, method, values.astype(np.float32), times, freqs, step, **named)


def make_clip(name="03a01Wa", true="anger", predicted="anger", speaker="03", seed=0, seconds=1.0, offset=0.25, **given):
    """A map over time and frequency, one over time, one that is not valid; regions, cues, scores and a planted span."""
    draw = np.random.default_rng(seed)
    maps = {
        "lrp": make_attribution(name, "lrp", draw.normal(size=(20, 50)), offset, seconds),
        "segments": make_attribution(name, "segments", draw.normal(size=25), offset, seconds),
        "saliency": make_attribution(
            name, "saliency", np.full((20, 50), np.nan), offset, seconds, ["values are not finite", "<b>no</b> & never"]
        ),
    }
    cues = [
        CueLine("loudness", 1.8, 2.0, 0.0004, "louder (+1.8 SD) than this speaker's neutral; expected"),
        CueLine("F0 mean", -1.2, 1.0, 0.01, "lower F0 (−1.2 SD) than this speaker's neutral; not expected"),
        CueLine("jitter", 0.2, None, 0.6, "no difference in jitter"),
    ]
    settings = {
        "attributions": maps,
        "regions": {"lrp": [(offset + 0.2, offset + 0.3), (offset + 0.6, offset + 0.7)], "segments": []},
        "cues": cues,
        "sentence": f"{true}: louder (+1.8 SD) than this speaker's neutral; expected",
        "span": (offset + 0.2, offset + 0.4),
        "decoy": (offset + 0.6, offset + 0.75),
        "scores": {"lrp": {"auroc": 0.91, "enrichment": 2.0}, "segments": {"auroc": 0.55}},
    }
    settings |= given
    wave = settings.pop("waveform", None)
    wave = make_wave(seconds, seed=seed) if wave is None else wave
    return ViewerClip(name, "emodb", speaker, true, predicted, 0.93, wave, RATE, offset, **settings)


def read_data(page: str) -> list[dict]:
    """The JSON of each clip in a page, each map with its axes."""
    found = [json.loads(text) for text in DATA.findall(page)]
    for data in found:
        give_axes(data["maps"], data["axes"])
    return found


def give_axes(maps: dict[str, dict], axes: list[list[float]]) -> None:
    for one in maps.values():
        one["times"] = axes[one["times"]]
        one["freqs"] = None if one["freqs"] is None else axes[one["freqs"]]


def decode_map(packed: dict) -> np.ndarray:
    """Values as the page's script decodes them [bands, frames]."""
    codes = np.frombuffer(base64.b64decode(packed["data"]), dtype=np.int8).astype(float)
    values = packed["scale"] * np.sign(codes) * (codes / 127) ** 2
    return values.reshape(-1, len(packed["times"]) - 1)


class Browser:
    """A page in headless Chromium, driven by its debugging protocol over a pipe (no library, no port)."""

    def __init__(self, folder: Path, width=1400, height=1000):
        pipes = (*os.pipe(), *os.pipe())
        theirs_in, self._write, self._read, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 50) for end in pipes)
        for end in pipes:
            os.close(end)
        command = ["chromium", *OPTIONS, "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", LAUNCH, str(theirs_in), str(theirs_out), *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._number, self._session = b"", 0, None
        self.errors: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Runtime.enable")
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)
        os.close(self._read)
        os.close(self._write)

    def send(self, method, **parameters):
        """A command's result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._receive(lambda reply: reply.get("id") == self._number)["result"]

    def open(self, url):
        """Go to an address, and wait until the page is there."""
        self.send("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href === {url!r}.split('#')[0] + location.hash")

    def ask(self, expression):
        """The value of an expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression, seconds=20.0):
        """Until an expression holds."""
        end = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def click(self, selector, across=0.5, down=0.5):
        """With the mouse, at a share of the element's box."""
        element = f"document.querySelector({selector!r})"
        box = self.ask(f"(box => [box.x, box.y, box.width, box.height])({element}.getBoundingClientRect())")
        where = {"x": box[0] + across * box[2], "y": box[1] + down * box[3], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, **where)

    def press(self, key):
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def shoot(self, path, whole=True):
        """A screenshot, of the whole page or of what the window shows."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def print(self, path):
        """The page as a PDF."""
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))

    def _receive(self, wanted, seconds=60.0):
        end = time.monotonic() + seconds
        while True:
            while b"\0" in self._buffer:
                text, _, self._buffer = self._buffer.partition(b"\0")
                reply = json.loads(text)
                if reply.get("method") == "Runtime.exceptionThrown":
                    self.errors.append(str(reply["params"]["exceptionDetails"]))
                if wanted(reply):
                    assert "error" not in reply, reply["error"]
                    return reply
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            part = os.read(self._read, 1 << 16)
            assert part, "Chromium has ended"
            self._buffer += part
