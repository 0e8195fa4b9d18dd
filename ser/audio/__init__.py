"""How a file becomes a waveform, and which files cannot."""
