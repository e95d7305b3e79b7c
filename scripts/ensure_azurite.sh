#!/bin/sh
# Makes .venv/azurite hold the Azure server that tests of stores start, exactly as scripts/azurite locks it. The second
# time it takes no time. Needs npm (scripts/ensure_system.sh); without it, it says so, and those tests fail.
set -eu
cd "$(dirname "$0")/.."
folder=.venv/azurite
wanted=$(cat scripts/azurite/package.json scripts/azurite/package-lock.json | cksum)

[ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && exit 0
if ! command -v npm >/dev/null; then
    echo "npm is missing, so Azurite cannot be installed: tests of Azure will fail." >&2
    exit 0
fi
echo "Installing Azurite into $folder ..."
rm -rf "$folder"
mkdir -p "$folder"
cp scripts/azurite/package.json scripts/azurite/package-lock.json "$folder"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Nothing of what a package brings is run while it is installed.
if ! (cd "$folder" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --no-update-notifier) >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "Azurite could not be installed: tests of Azure will fail." >&2
    exit 0
fi
echo "$wanted" > "$folder/installed"
