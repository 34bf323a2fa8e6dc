#!/bin/sh
# Install what is named into .venv, which is made first when it is missing or broken:
#   tools/install.sh -e '.[dev]'
# Uses uv when it is on the PATH. PYTHON chooses the interpreter of a new .venv.
set -eu

works() {
    # Running it is the only test: a name on the PATH may be a launcher for a version that is not installed.
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if works "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "crossdock needs Python 3.11 or later with the venv module: set PYTHON to one" >&2
    return 1
}

echo "installing $* into .venv"
if command -v uv >/dev/null; then
    .venv/bin/python -c '' 2>/dev/null || uv venv --quiet --clear --python "${PYTHON:->=3.11}" .venv
    exec uv pip install --quiet --python .venv/bin/python "$@"
fi
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    "$python" -m venv --clear .venv
fi
exec .venv/bin/python -m pip install -qq --disable-pip-version-check "$@"
