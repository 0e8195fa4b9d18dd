"""How networks are trained: batches, the Lightning module, and the Trainer around it."""
