#!/bin/sh
# Brings the conformance suite, the Inspector and their Node.js, pinned and checked by conformance/package-lock.json, and runs it.
set -eu
cd "$(dirname "$0")/.."

lock=conformance/package-lock.json
stamp=conformance/node_modules/.installed
if ! cmp -s "$lock" "$stamp"; then
    command -v npm >/dev/null || { echo "The conformance suite needs npm, which comes with Node.js." >&2; exit 1; }
    echo "Installing the conformance suite."
    # They run on the Node.js that this installs; the one that npm runs on may be older.
    npm ci --prefix conformance --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$lock" "$stamp"
fi
PYTHONPATH=. exec .venv/bin/python -m scripts.conformance "$@"
