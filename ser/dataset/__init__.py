"""Corpora: one module a corpus, all yielding a :class:`ser.dataset.manifest.Manifest`."""
