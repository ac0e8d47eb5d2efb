"""Input that is changed in many ways, by a seed: `make fuzz`."""
