#!/bin/sh
# Holds what is sent of odd pictures against what Chromium and libvips show of them: sh tests/decoders/run.sh [beginning of a name ...]
# Brings both: Chromium and libheif's program with apt (as root), libvips from the package index.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
place=${KOLORS_DECODERS:-${TMPDIR:-/tmp}/kolors-mcp-decoders}

if ! command -v chromium >/dev/null || ! command -v heif-convert >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "chromium or heif-convert is not here and cannot be installed. Install chromium and libheif-examples." >&2
        exit 1
    fi
    echo "Installing Chromium and libheif's program."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium libheif-examples >/dev/null
fi
if [ ! -e "$place/.installed" ]; then
    echo "Installing libvips."
    "$python" -m venv "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: cffi==2.1.1 pyvips-binary==8.18.7
    # The binding has no wheel; it is Python alone.
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps pyvips==3.0.0
    touch "$place/.installed"
fi
KOLORS_DECODERS=$place PYTHONPATH=$root exec "$python" "$here/check.py" "$@"
