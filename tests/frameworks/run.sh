#!/bin/sh
# Runs agents of real frameworks against a mock model on loopback: sh tests/frameworks/run.sh [beginning of a name ...]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
PYTHONPATH=$root exec "${PYTHON:-$root/.venv/bin/python}" "$here/check.py" "$@"
