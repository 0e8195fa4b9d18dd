"""A language of tones that a small network learns in seconds: each letter is a pitch."""

import numpy as np
import pandas as pd
import soundfile

RATE = 16000
PITCHES = dict(zip("abcdè", (300.0, 600.0, 1200.0, 2400.0, 4800.0), strict=True))


def say(text, speaker, take, letter=0.08):
    """The letters one after the other, pauses for blanks; speakers and takes differ a little."""
    draw = np.random.default_rng([speaker, take, *map(ord, text)])
    pieces = []
    for sign in text.lower():
        time = np.arange(round(letter * draw.uniform(0.9, 1.1) * RATE)) / RATE
        pitch = PITCHES.get(sign, 0.0) * (1 + 0.01 * speaker)
        pieces.append(0.3 * np.sin(2 * np.pi * pitch * time) * np.hanning(len(time)) ** 0.3)
    wave = np.concatenate(pieces)
    return (wave + 0.001 * draw.standard_normal(len(wave))).astype(np.float32)


def make_texts(count, seed=0):
    """Words of two to four letters, no letter twice in a row."""
    draw = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        signs = [draw.choice(list(PITCHES))]
        while len(signs) < draw.integers(2, 5):
            signs.append(draw.choice([sign for sign in PITCHES if sign != signs[-1]]))
        texts.append("".join(signs))
    return texts


def write_speech(folder, texts, speakers=4, takes=1, emotions=("anger", "neutral")):
    """Each speaker says each text; a table with everything that a manifest has."""
    (folder / "wav").mkdir(parents=True)
    rows = []
    for speaker in range(speakers):
        for number, text in enumerate(texts):
            for take in range(takes):
                path = f"wav/s{speaker}-{number}-{take}.wav"
                soundfile.write(folder / path, say(text, speaker, take), RATE)
                emotion = emotions[(number + take) % len(emotions)]
                rows.append((path, f"s{speaker}", text, emotion, f"t{number}", "xx", "fm"[speaker % 2]))
    columns = ["path", "speaker", "text", "emotion", "sentence", "language", "gender"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "clips.csv", index=False)
    return folder / "clips.csv"
