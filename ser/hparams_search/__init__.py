"""Search for good settings on validation data: what may vary, who proposes, what came of it."""
