#!/bin/sh
# Puts the packages that tests/programs/real exercises into DIR: pinned, pure Python, 3.9 to 3.15.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi

install() {
    "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --upgrade \
        --target "$directory" --no-deps --no-compile --only-binary :all: --python-version 3.9 "$@"
}

directory=$1
install --platform any \
    attrs==26.1.0 \
    click==8.1.8 \
    docutils==0.23 \
    idna==3.20 \
    jinja2==3.1.6 \
    mistune==3.3.4 \
    more-itertools==10.8.0 \
    networkx==3.2.1 \
    packaging==26.3 \
    pygments==2.21.0 \
    pyparsing==3.3.3 \
    sqlparse==0.5.5 \
    toml==0.10.2 \
    tomli==2.5.0 \
    typing-extensions==4.15.0
# Has no pure wheel, but does without its extension.
install --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 markupsafe==2.1.5
rm -f "$directory"/markupsafe/_speedups*
