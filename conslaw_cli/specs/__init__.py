"""YAML and flags → architectures."""
