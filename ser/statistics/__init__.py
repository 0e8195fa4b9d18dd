"""Statistics of sweeps: designs, models, contrasts and conclusions."""
