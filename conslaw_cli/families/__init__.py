"""Families of architectures: one file each (problems.Architecture).

The keys that name them in YAML stand in ``_FAMILIES`` of spec.py.
"""
