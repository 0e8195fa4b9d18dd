"""What of a voice an explanation points at: acoustic cues, measured where a map is, beside what experts expect."""
