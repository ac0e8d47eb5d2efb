"""The programs under measurement beside kolors-mcp, each run as `python -m benchmarks.programs.NAME`."""
