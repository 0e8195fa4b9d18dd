"""Experiments on speech emotion recognition that can be believed."""

__version__ = "0.1.0"
