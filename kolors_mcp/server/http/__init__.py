"""The server over HTTP: who may speak with it, how much, for how long, and what is told of it.

Loaded by `kolors-mcp serve --http` only: a start over stdio costs nothing of it.
"""
