#!/bin/sh
# fetch-packages.sh DIR VERSION  puts the packages of the benchmark `scoped` into DIR, pinned, for
# CPython VERSION.
#
# Those that its programs use, and those that trace calls as pytrace does. trace0 has wheels for 3.13
# and 3.14 only.
set -eu
export PIP_ROOT_USER_ACTION=ignore # a directory of its own: nothing of the system's is at stake

if [ $# -ne 2 ]; then
    echo "usage: $0 DIR VERSION" >&2
    exit 2
fi

# pip would compare what a package requires with the Python that runs pip; the wheels' tags say which
# they are for.
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --upgrade \
    --target "$1" --no-deps --no-compile --only-binary :all: --ignore-requires-python \
    --python-version "$2" --implementation cp --platform any --platform manylinux2014_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux_2_28_x86_64 \
    blinker==1.9.0 \
    click==8.5.1 \
    flask==3.1.3 \
    itsdangerous==2.2.0 \
    jinja2==3.1.6 \
    markdown-it-py==4.3.0 \
    markupsafe==3.0.4 \
    mdurl==0.1.2 \
    objprint==0.3.0 \
    pygments==2.21.0 \
    sqlalchemy==2.1.9 \
    trace0==0.1.16 \
    typing-extensions==4.16.0 \
    viztracer==1.1.1 \
    werkzeug==3.1.9
