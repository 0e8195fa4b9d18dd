"""Where runs live: MLflow, the identity of a run, and the environment it ran in."""
