"""From a waveform to a representation: frozen extractors behind the feature store, and networks that are trained."""
