"""The stage ``data``: which corpora there are, whether a copy is sound, what it sounds like, and how to get it."""
