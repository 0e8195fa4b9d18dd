"""A model that follows a rule of track C: it reads the word and hears whether some stretch is loud."""

import numpy as np
import soundfile

from ser.dataset.planted.modality import PlantedModality
from ser.dataset.planted.modality_plan import QUADRANTS, RULES
from ser.dataset.planted.word import SPELLINGS
from ser.explainer.modality.material import Sampling, compare

RATE = 16000
#: RMS over 0.2 s that no word without the cue reaches, and every one with it does.
LOUD = 0.055


class States(list):
    """What is known of clips: the state of the word, or of the voice."""

    def take(self, rows):
        return States(self[row] for row in rows)


class Follower:
    """A fused model without weights.

    Args:
        rule: of track C.
        sure: half of the difference of logits.
    """

    def __init__(self, rule, sure=2.0):
        self.rule = rule
        self.sure = sure
        if rule == "unique":
            self.emotions = tuple(sorted(QUADRANTS.values()))
            self.places = {RULES[rule].classes[state]: self.emotions.index(name) for state, name in QUADRANTS.items()}
        else:
            self.emotions = ("anger", "neutral")
            self.places = {0: 1, 1: 0}

    def encode_texts(self, texts):
        return States(int(SPELLINGS[1] in text.split()) for text in texts)

    def encode_audio(self, waveforms):
        return States(int(measure_peak(wave) > LOUD) for wave in waveforms)

    def fuse(self, audio, text):
        named = [self.places[RULES[self.rule].classes[pair]] for pair in zip(text, audio, strict=True)]
        return self.sure * (2 * np.eye(len(self.emotions))[named] - 1)


def measure_peak(wave, seconds=0.2):
    """Largest RMS over so many s."""
    size = round(seconds * RATE)
    energy = np.concatenate([[0.0], np.cumsum(wave.astype(float) ** 2)])
    return float(np.sqrt((energy[size:] - energy[:-size]).max() / size))


def follow(rule, root, utterances=16, speakers=2, strength=6.0):
    """A corpus of a rule, and a model that follows it, put together: material and manifest."""
    corpus = PlantedModality(
        rule=rule, root=root, speakers=speakers, utterances_per_speaker=utterances, strength=strength, jobs=1
    )
    frame = corpus.load().frame
    rows = frame.assign(dataset="planted_c", fold="official", true=frame["emotion"])
    waves = [soundfile.read(path, dtype="float32")[0] for path in rows["path"]]
    model, texts = Follower(rule), rows["text"].tolist()
    said = model.fuse(model.encode_audio(waves), model.encode_texts(texts)).argmax(1)
    rows["predicted"] = np.array(model.emotions)[said]
    sampling = Sampling("predicted", "margin", 400, 12, 1.6, 0)
    offsets = np.zeros(len(rows))
    return compare(model, RATE, rows, waves, offsets, texts, sampling, np.random.default_rng(0))
