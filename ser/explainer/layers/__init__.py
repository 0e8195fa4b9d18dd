"""How hidden states differ: from layer to layer, from checkpoint to checkpoint, and from eGeMAPS."""
