#!/bin/sh
# Runs real hosts, installed from npm at pinned versions, against a mock model on loopback: sh tests/hosts/run.sh [--http] [host ...]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
# Some 1.3 GB, so not inside the project. The programs are packages of their own, so no script of a package has to run.
place=${KOLORS_HOSTS:-${TMPDIR:-/tmp}/kolors-mcp-hosts}
mkdir -p "$place"
if ! cmp -s "$here/package-lock.json" "$place/package-lock.json" || [ ! -e "$place/node_modules/.installed" ]; then
    cp "$here/package.json" "$here/package-lock.json" "$place/"
    # Not `npm ci`: it wants every platform's package in the lock file, and not every registry has them all.
    (cd "$place" && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error)
    touch "$place/node_modules/.installed"
fi
KOLORS_HOSTS=$place PYTHONPATH=$root exec "$python" "$here/check.py" "$@"
