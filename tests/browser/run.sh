#!/usr/bin/env bash
# The fitting room, and the page for a photo of the service, in a real browser. Brings what is missing: Chromium with apt (as root), the packages with npm.
set -euo pipefail
cd "$(dirname "$0")"

export CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
if [[ -z $CHROMIUM ]]; then
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "Chromium is not here and cannot be installed. Install it, or set CHROMIUM to its path." >&2
        exit 1
    fi
    echo "Installing Chromium."
    apt-get update -qq
    # The font is for the Chinese texts on the screenshots.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-wqy-microhei >/dev/null
    CHROMIUM=$(command -v chromium)
fi
command -v npm >/dev/null || { echo "npm is not here. Install Node.js 20 or newer." >&2; exit 1; }
[[ -x ../../.venv/bin/kolors-mcp ]] || { echo "The package is not installed. Run it as: make browser" >&2; exit 1; }

if [[ ! node_modules/.package-lock.json -nt package-lock.json ]]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    touch node_modules/.package-lock.json
fi
# Each file has a browser and a demo of its own. A third of their time is waiting, so that two cores can try three at a time.
exec node --test --test-concurrency=3 --test-timeout=900000 --test-reporter=./reporter.mjs "${@:-.}"
