"""Exact arithmetic: prime fields, jets, kernels and lifting. Knows nothing of networks."""
