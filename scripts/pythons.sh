#!/bin/sh
# Runs the tests of what is committed under each other Python that is found, in a clone and an environment of its own.
set -eu

here=$(pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
ours=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
tried= failed=
for minor in 11 12 13 14; do
    found=
    for candidate in "python3.$minor" "$HOME/.pyenv/versions/3.$minor".*/bin/python; do
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            found=$candidate
        fi
    done
    if [ -z "$found" ] || [ "3.$minor" = "$ours" ]; then
        continue
    fi
    echo "== $("$found" --version)"
    tried="$tried 3.$minor"
    git clone --quiet "$here" "$place/3.$minor"
    make -C "$place/3.$minor" test PYTHON="$found" ARGS="$*" || failed="$failed 3.$minor"
done
echo "Tried beside $ours:${tried:- none was found}. Failed:${failed:- none}."
[ -z "$failed" ]
