"""Maps and vector fields of one's own, given by formulas."""
