"""From vector fields to the dimension of their Lie algebra, with bounds and evidence."""
