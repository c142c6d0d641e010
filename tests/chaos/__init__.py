"""Faults on purpose: harmed connections, killed and frozen processes, and a checker of what is left."""
