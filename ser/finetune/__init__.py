"""Fine-tuning: which weights of a backbone are trained."""
