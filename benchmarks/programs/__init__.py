"""What stands beside kolors-mcp in the measurements, and the cheap Kling behind all of it."""
