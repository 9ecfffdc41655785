"""Models: one registry over classical and deep learners."""
