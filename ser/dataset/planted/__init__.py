"""A synthetic corpus whose emotional cues are planted, so that what a model should listen to is known."""
