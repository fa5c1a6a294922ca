#!/bin/sh
# Puts the packages that the truth tests use into DIR, pinned.
#
# In DIR itself: those that tests/programs/real exercises, pure Python for 3.9 to 3.15. In
# DIR/cpython-3.N: what that version needs of its own, which comes first there.
set -eu
export PIP_ROOT_USER_ACTION=ignore # a directory of its own: nothing of the system's is at stake

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi

# install VERSION DIRECTORY ARGUMENTS...
install() {
    version=$1
    directory=$2
    shift 2
    "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --upgrade \
        --target "$directory" --no-deps --no-compile \
        --only-binary :all: --python-version "$version" "$@"
}

install 3.9 "$1" --platform any \
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
install 3.9 "$1" --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 markupsafe==2.1.5
rm -f "$1"/markupsafe/_speedups*

install 3.8 "$1/cpython-3.8" --platform any \
    docutils==0.20.1 \
    idna==3.10 \
    mistune==3.0.2 \
    networkx==3.1 \
    packaging==24.2 \
    pygments==2.18.0 \
    pyparsing==3.1.4

# coverage, with what it needs on 3.6. Its tracer is compiled for each version.
install 3.6 "$1/cpython-3.6" --platform any tomli==1.2.3
for wanted in 3.6=6.2 3.7=7.2.7 3.8=7.6.1 3.9=7.10.7 3.10=7.16.2 3.11=7.16.2 3.12=7.16.2 \
    3.13=7.16.2 3.14=7.16.2 3.15=7.16.2; do
    own=$1/cpython-${wanted%=*}
    install "${wanted%=*}" "$own" --implementation cp --platform manylinux2014_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux_2_28_x86_64 "coverage==${wanted#*=}"
    # Without it, coverage would silently do with its tracer in Python.
    ls "$own"/coverage/tracer.*.so >/dev/null
done
