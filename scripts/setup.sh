#!/bin/sh
# setup.sh [build|demo|test|bench|packages|kernels]  installs what is missing for that, and says what and why.
#
# Quiet, and asks for no rights, when everything is there. Knows Debian and Ubuntu;
# elsewhere it says what to install.
set -eu

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

cd "$(dirname "$0")/.."
purpose=${1:-build}
case $purpose in
    build | demo | test | bench | packages | kernels) ;;
    *) die "usage: setup.sh [build|demo|test|bench|packages|kernels]" ;;
esac

PATH=$PATH:/usr/sbin:/sbin # debootstrap, useradd: a user's PATH may lack them
export PATH
missing=

# need_command NAME PACKAGE WHY: without the command, PACKAGE is missing; likewise for a file.
need_command() { command -v "$1" >/dev/null 2>&1 || miss "$2" "$3"; }
need_file() { [ -e "$1" ] || miss "$2" "$3"; }
miss() {
    missing="$missing $1"
    say "missing $1: $2"
}

need_command clang clang "compiles the kernel programs in bpf/"
need_command cc gcc "links Rust programs, compiles libbpf"
need_command make make "builds libbpf"
need_command pkg-config pkg-config "finds libelf and zlib for libbpf"
need_file /usr/include/stdio.h libc6-dev "C headers"
need_file /usr/include/linux/bpf.h linux-libc-dev "kernel headers for bpf/"
need_file /usr/include/libelf.h libelf-dev "libbpf reads ELF files with it"
need_file /usr/include/zlib.h zlib1g-dev "libelf needs it"

if [ "$purpose" != build ]; then
    # By path: what is traced is the system's Python, whatever else comes first in PATH.
    need_file /usr/bin/python3 python3 "the interpreter to trace"
fi
if [ "$purpose" = test ]; then
    need_command clang-format clang-format "checks the style of bpf/"
    need_command g++ g++ "compiles libFuzzer"
    need_command sudo sudo "the tests start pytrace through it"
    need_command useradd passwd "the tests need a second user"
    need_command debootstrap debootstrap "fetches other Pythons: scripts/interpreters.sh"
    /usr/bin/python3 -c 'import test.test_json' 2>/dev/null ||
        miss "libpython$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite" \
            "the truth tests trace the standard library's tests"
    need_command gdb gdb "its Python is traced"
    need_command vim.nox vim-nox "likewise"
    need_command /usr/bin/python3-config python3-dev \
        "programs that Python is linked into are traced: its headers and libraries"
    need_file /usr/include/expat.h libexpat1-dev "the static one of these needs it"
    need_command gpgv gpgv "verifies what debootstrap fetches"
    need_file /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring \
        "the keys for that"
fi
if [ "$purpose" = test ] || [ "$purpose" = bench ]; then
    need_file /usr/lib/python3/dist-packages/pip python3-pip \
        "fetches the packages that the truth tests and the benchmark scoped trace"
    # Ubuntu's packages of these only fetch a snap, which can't see a profile in /tmp.
    need_command chromium chromium "the page of pytrace serve is tested in it"
    need_command chromedriver chromium-driver "drives it"
fi
if [ "$purpose" = kernels ]; then
    need_command qemu-system-x86_64 qemu-system-x86 "boots the kernels"
    need_command busybox busybox-static "their first process"
    need_command cpio cpio "packs their file system"
    need_command strip binutils "makes pytrace small enough to be in it"
fi
if [ "$purpose" = packages ]; then
    for package in torch pandas; do
        need_file "/usr/lib/python3/dist-packages/$package" "python3-$package" \
            "its objects are to be shown as what they are"
    done
fi

optional=
if [ "$purpose" = bench ] && ! command -v bpftrace >/dev/null 2>&1; then
    optional=bpftrace
    say "missing bpftrace (optional): pytrace is measured against it"
fi

if [ -n "$missing$optional" ]; then
    command -v apt-get >/dev/null 2>&1 ||
        die "this is no Debian or Ubuntu: install by hand what your system calls$missing${optional:+ $optional}"
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif command -v sudo >/dev/null 2>&1; then
        sudo=sudo
    else
        die "neither root nor sudo: have root run: apt-get install$missing${optional:+ $optional}"
    fi
    apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null >&2; }

    say "installing$missing${optional:+ $optional}"
    # A broken third-party source need not matter; a package that is not found does.
    apt update || say "apt-get update had errors; going on with what is known"
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086 # a list of words
        apt install -y --no-install-recommends $missing || die "could not install:$missing"
    fi
    if [ -n "$optional" ]; then
        apt install -y --no-install-recommends $optional ||
            say "going on without $optional: no comparison with it"
    fi
fi

# Rust, of at least the version that Cargo.toml asks for.
user=scripts/as-user.sh
$user sh -c 'command -v cargo' >/dev/null ||
    die "no cargo found: get Rust from https://rustup.rs (as the user who builds)"
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$($user rustc --version | cut -d' ' -f2)
[ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
    die "Rust $found is too old, $wanted is needed: rustup update (or get Rust from https://rustup.rs)"

if [ "$purpose" = test ]; then
    for component in rustfmt clippy; do
        $user "cargo-${component#rust}" --version >/dev/null 2>&1 && continue
        say "missing $component: checks the Rust code"
        $user rustup component add "$component" >&2 ||
            die "could not add $component: install your Rust's $component"
    done
fi
