"""What a model hears in a clip: explainers, and how their explanations are scored."""
