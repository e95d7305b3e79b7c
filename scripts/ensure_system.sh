#!/bin/sh
# What the tests need beside Python: PostgreSQL's and Redis's server programs, a browser with a font, and npm.
# Debian or Ubuntu as root: installs what is missing. Elsewhere: says what is missing; the tests that need it fail.
set -eu

missing() {
    found=$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || command -v initdb || true)
    [ -n "$found" ] || echo postgresql
    command -v redis-server >/dev/null || echo redis-server
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || echo chromium
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.ttf' 2>/dev/null | head -n 1)" ] || echo fonts-dejavu-core
    # Runs the Azure server that scripts/ensure_azurite.sh installs.
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    # Debian keeps a part of Python's venv in a package of its own.
    "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "Missing on this machine (Debian's names): $packages" >&2
    echo "Tests that need them will fail. On Debian and Ubuntu, as root: apt-get install $packages" >&2
    exit 0
fi

echo "Installing what the tests need: $packages"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $packages; } >"$log" 2>&1 </dev/null; then
    # A package whose server may not be started here is installed all the same: what counts is what is there now.
    tail -n 20 "$log" >&2
fi
left=$(missing | tr '\n' ' ')
if [ -n "$left" ]; then
    echo "Could not be installed: $left. Tests that need them will fail." >&2
fi
