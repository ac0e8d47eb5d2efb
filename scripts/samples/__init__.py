"""Draws the sandbox's sample pictures."""
