"""What is said to the person at the terminal."""

import sys


def complain(text: str) -> None:
    """Write a line to standard error: standard output may carry the protocol."""
    print(text, file=sys.stderr)
