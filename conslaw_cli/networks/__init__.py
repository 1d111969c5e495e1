"""Networks as functions of their parameters, their wiring and the laws that follow from it."""
