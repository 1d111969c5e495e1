"""Many jobs: workers, and the store that keeps their rows."""
