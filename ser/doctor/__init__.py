"""Checks of the installation and of what lies around it, each with its remedy."""
