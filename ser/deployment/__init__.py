"""Finished models for use elsewhere: as a folder that needs nothing else, as a graph, in MLflow's model format."""
