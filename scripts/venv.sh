#!/bin/sh
# Makes .venv hold what the given list of requirements asks for. The second time it takes no time.
set -eu
cd "$(dirname "$0")/.."
list=$1
stamp=".venv/installed-${list%.txt}"
wanted=$(cat requirements.txt "$list" | cksum)

if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed. Install it, or name it: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        echo "Python's venv module does not work here. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi
echo "Installing $list into .venv ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore -r "$list"
echo "$wanted" > "$stamp"
