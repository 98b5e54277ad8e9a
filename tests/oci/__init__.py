"""Packages and registries; the programs they run."""
