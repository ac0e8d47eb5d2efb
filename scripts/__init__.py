"""What makes, checks and measures the project; none of it is installed."""
