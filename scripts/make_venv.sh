#!/bin/sh
# Makes .venv with the first Python that is new enough.
set -eu

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if usable .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "Using the virtual environment in .venv."
else
    found=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if usable "$candidate"; then
            found=$candidate
            break
        fi
    done
    if [ -z "$found" ]; then
        echo "Python 3.11 or newer is needed; tried: ${PYTHON:-python3, python3.14 to python3.11, python}." >&2
        echo "Install one from your system's packages or https://www.python.org/downloads/," >&2
        echo "or name it: make PYTHON=/path/to/python3 ..." >&2
        exit 1
    fi
    # Debian and Ubuntu ship Python without what its own venv module needs.
    if ! "$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$found cannot make a virtual environment: its venv or ensurepip module is missing." >&2
        echo "On Debian or Ubuntu: sudo apt install python$version-venv, then run make again." >&2
        exit 1
    fi
    echo "Making a virtual environment in .venv with $("$found" --version)."
    "$found" -m venv --clear .venv
fi
