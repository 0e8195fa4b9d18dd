"""Meters of acoustic cues: tracks over the whole utterance, by our own means, openSMILE or Praat."""
