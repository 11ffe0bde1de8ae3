"""Each file answers one question, prints its conditions, and compares within one run."""
