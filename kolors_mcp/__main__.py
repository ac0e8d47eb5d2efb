"""`python -m kolors_mcp` is the command `kolors-mcp`."""

import sys

from kolors_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
