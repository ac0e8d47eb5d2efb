"""Figures, never verdicts: each row stands beside the cheapest program that does the same."""
