#!/bin/sh
# Checks the files in deploy/: sh tests/deploy/run.sh. Brings nginx with apt where it is missing (as root).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
PATH=$PATH:/usr/sbin

if ! command -v nginx >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing nginx."
    apt-get update -qq
    # Where the index cannot be reached the check says itself what it does not try.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null || true
fi
PYTHONPATH=$root exec "${PYTHON:-$root/.venv/bin/python}" "$here/check.py" "$@"
