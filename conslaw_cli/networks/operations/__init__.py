"""The operations that networks are made of, one class each; those of a kin share a file."""
