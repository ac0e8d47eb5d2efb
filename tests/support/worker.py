"""Does as `python worker.py -u -c PROGRAM` what `python -u -c PROGRAM` does: xdist's program makes it a worker."""

import sys

exec(sys.argv[-1])  # noqa: S102  (it comes from xdist)
