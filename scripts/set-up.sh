#!/bin/sh
# Make .venv and put drainwatch into it, with every version as pinned in requirements/.
#
#   scripts/set-up.sh run     what the command needs
#   scripts/set-up.sh dev     that, and what tests and checks need
#
# Needs a Python 3.11 to 3.13 and a way to a package index; pip's own settings are respected.
# PYTHON=/some/python chooses the interpreter.
set -eu

cd "$(dirname "$0")/.."
set_of=${1:?run or dev}
venv=.venv
inside=$venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_REQUIRE_VIRTUALENV=0

# A pyenv shim is on the PATH also for versions that aren't active, and fails: so each is run.
fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

pythons() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
    else
        printf '%s\n' python3.13 python3.12 python3.11 python3 python
    fi
}

# Debian's Python comes without ensurepip unless python3-venv is there: then pip from outside serves.
make_venv() {
    for python in $(pythons); do
        fits "$python" || continue
        found="$found $python"
        if "$python" -m venv --clear $venv >/dev/null 2>&1 && $inside -m pip --version >/dev/null 2>&1; then
            return 0
        fi
    done
    for python in $found; do
        if "$python" -m pip --python "$python" --version >/dev/null 2>&1 &&
            "$python" -m venv --clear --without-pip $venv >/dev/null 2>&1 &&
            "$python" -m pip --python $inside install -qq pip; then
            return 0
        fi
    done
    return 1
}

if ! { fits $inside && $inside -m pip --version >/dev/null 2>&1; }; then
    found=
    if ! make_venv; then
        if [ -z "$found" ]; then
            echo "set-up: Python 3.11, 3.12 or 3.13 was expected, none runs here; install one, or name it: make PYTHON=/path/to/python3.12" >&2
        else
            echo "set-up: none of$found can make a virtual environment; install its venv package (Debian, Ubuntu: python3-venv), or name another: make PYTHON=/path/to/python3.12" >&2
        fi
        exit 1
    fi
fi

count=$(grep -c '^[a-z]' "requirements/$set_of.txt")
echo "set-up: $($inside --version) in $venv, $count packages (only once, a minute or two)"
install() { $inside -m pip install -qq "$@"; }
install -r "requirements/$set_of.txt" || install -r "requirements/$set_of.txt" # a network may hiccup
install --no-build-isolation --no-deps --editable .
