#!/bin/bash
# cpythons.sh [BUILD...]  builds CPythons that no distribution has, for the tests.
#
# BUILD is VERSION-KIND, such as 3.14-tail; a VERSION, or a KIND, stands for all that have it, and no
# BUILD for all there are. The kinds:
#   clang         clang, with ThinLTO and PGO
#   tail          the same, with the tail-calling interpreter (3.14+): what uv installs
#   bolt          as clang, its code moved by LLVM's BOLT
#   switch        gcc, without computed gotos
#   switch-clang  the same by clang
#   debug         gcc, --with-pydebug
#   jit           clang, with the experimental JIT, which is on (3.14+)
#   nogil         gcc, --disable-gil
#   nogil-tail    clang, --disable-gil and the tail-calling interpreter (3.14+)
#
# They are built of what Debian's source packages hold of upstream's, by sid's gcc and LLVM, in a Debian
# sid of their own: ${PYTRACE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pytrace}/debian-cpythons. What is there
# already is left alone. Of each that is there in the end a line is printed: NAME=ROOT:PYTHON, as
# tests/truth/matrix.py takes it. All of them take some three hours on two cores, and 8 GB.
# PYTRACE_MIRROR names another mirror than deb.debian.org.
set -euo pipefail

# What the pool has of each version, and its SHA-256. Pools forget: then the newest that the suite's
# index names is taken.
sources="
3.13 3.13.15    1e66a7945a48390ee4c2a4268a0e4185884059a13c4aab6d148aa208deea4a76
3.14 3.14.7     3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81
3.15 3.15.0~rc2 8d93af5eaaaea5adfd41bd786a7ba3f03f2ad1ab57c6a65e0b963deab91d5ad7
"
kinds="clang tail bolt switch switch-clang debug jit nogil nogil-tail"
# The LLVM that builds them. Each version's JIT insists on one (Tools/jit/_llvm.py).
llvm=21
jit_llvm() { case $1 in 3.14) echo 19 ;; *) echo 21 ;; esac; }
packages="build-essential pkg-config xz-utils clang-19 llvm-19 clang-$llvm llvm-$llvm lld-$llvm
    libclang-rt-$llvm-dev bolt-$llvm libbolt-$llvm-dev libbz2-dev libexpat1-dev libffi-dev liblzma-dev
    libsqlite3-dev libssl-dev zlib1g-dev"

cd "$(dirname "$0")/.."
mirror=${PYTRACE_MIRROR:-http://deb.debian.org/debian}
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

say() { echo "cpythons: $*" >&2; }
die() { say "$*"; exit 1; }

exists() { # VERSION KIND
    case $1-$2 in
        # 3.13 has no tail-calling interpreter, and its JIT needs an LLVM that sid has no more.
        3.13-tail | 3.13-nogil-tail | 3.13-jit) return 1 ;;
    esac
}

wanted() { # those that the arguments stand for
    local argument version kind found
    for argument in "${@:-all}"; do
        found=
        while read -r version _; do
            [ -n "$version" ] || continue
            for kind in $kinds; do
                case $argument in
                    all | "$version" | "$kind" | "$version-$kind") ;;
                    *) continue ;;
                esac
                exists "$version" "$kind" || continue
                found=yes
                echo "$version-$kind"
            done
        done <<<"$sources"
        [ -n "$found" ] || die "there is no build $argument: scripts/cpythons.sh says which there are"
    done
}

# A clean environment: no locale that the other system lacks, no PATH that it does not have.
inside() {
    $sudo env -i PATH="/usr/lib/llvm-$llvm/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C HOME=/tmp \
        DEBIAN_FRONTEND=noninteractive chroot "$root" "$@" </dev/null
}

# A copy of the tests' sid, with compilers.
make_root() {
    local base new=$root.new
    [ "$(cat "$root/etc/pytrace-packages" 2>/dev/null)" != "$packages" ] || return 0
    base=$(scripts/interpreters.sh sid)
    if [ ! -d "$root" ]; then
        say "making $root"
        $sudo rm -rf --one-file-system "$new"
        $sudo cp -a --reflink=auto "$base" "$new"
        $sudo mv "$new" "$root"
    fi
    # As debootstrap does, without the expiry date: a mirror, or this machine's clock, may be off by days.
    echo "deb-src $mirror sid main" | $sudo tee "$root/etc/apt/sources.list.d/source.list" >/dev/null
    # shellcheck disable=SC2086 # a list of words
    { inside apt-get update -q -o Acquire::Check-Valid-Until=false &&
        inside apt-get install -q -y --no-install-recommends $packages; } >"$log" 2>&1 ||
        { tail -n 5 "$log" >&2; die "installing the compilers failed: $log"; }
    inside apt-get clean
    $sudo mkdir -p "$root/src" "$root/build" "$root/opt"
    echo "$packages" | $sudo tee "$root/etc/pytrace-packages" >/dev/null
}

# The directory with a version's source.
source_of() {
    local version=$1 release sum file found
    found=$(find "$root/src" -maxdepth 1 -name "Python-$version.*" -type d | head -n 1)
    if [ -z "$found" ]; then
        read -r _ release sum < <(grep "^$version " <<<"$sources")
        file=python${version}_$release.orig.tar.xz
        if $sudo curl -fsS -o "$root/src/$file" "$mirror/pool/main/p/python$version/$file" 2>>"$log"; then
            echo "$sum  $root/src/$file" | sha256sum --check --quiet >&2 ||
                die "$file is not what it was: $root/src/$file"
        else
            say "the pool has no $file any more: taking what sid has of python$version"
            $sudo rm -f "$root/src/$file"
            inside sh -c "cd /src && apt-get source -q --download-only -o APT::Sandbox::User=root python$version" \
                >>"$log" 2>&1 || die "no source of python$version: $log"
        fi
        inside sh -euc "
            rm -rf /src/new
            mkdir /src/new
            tar xf /src/python${version}_*.orig.tar.xz -C /src/new
            mv /src/new/* /src/
        " >&2 || die "cannot unpack $file"
        found=$(find "$root/src" -maxdepth 1 -name "Python-$version.*" -type d | head -n 1)
    fi
    basename "$found"
}

build() { # VERSION KIND
    local version=$1 kind=$2 name=cpython-$1-$2 compiler=gcc source options started=$SECONDS
    local optimised="--enable-optimizations --with-lto=thin"
    # LLVM 21's BOLT crashes on its debug information, which upstream has it rewrite (configure.ac).
    local bolt="-skip-funcs=_PyEval_EvalFrameDefault,sre_ucs1_match/1,sre_ucs2_match/1,sre_ucs4_match/1"
    source=$(source_of "$version")
    case $kind in
        clang)        compiler=clang options=$optimised ;;
        tail)         compiler=clang options="$optimised --with-tail-call-interp" ;;
        bolt)         compiler=clang options="$optimised --enable-bolt" ;;
        switch)       options="--without-computed-gotos" ;;
        switch-clang) compiler=clang options="--without-computed-gotos" ;;
        debug)        options="--with-pydebug" ;;
        jit)          compiler=clang options="--enable-experimental-jit=yes" ;;
        nogil)        options="--disable-gil" ;;
        nogil-tail)   compiler=clang options="--disable-gil --with-tail-call-interp" ;;
    esac
    [ $compiler = gcc ] || options+=" LDFLAGS=-fuse-ld=lld CXX=clang++"
    [ "$kind" != jit ] || options+=" LLVM_VERSION=$(jit_llvm "$version")"
    say "building $version-$kind"
    # What is measured for PGO and BOLT is a part of what upstream takes, which runs for half an hour
    # when BOLT has instrumented it.
    inside env CC=$compiler BOLT_COMMON_FLAGS="$bolt" NAME="$name" SOURCE="/src/$source" OPTIONS="$options" JOBS="$(nproc)" \
        PROFILE_TASK="-m test --pgo test_coroutines test_dict test_exceptions test_generators test_json \
test_pickle test_re test_richcmp test_set test_struct test_traceback" \
        bash -euc '
            rm -rf "/build/$NAME" "/opt/$NAME"
            mkdir -p "/build/$NAME"
            cd "/build/$NAME"
            # shellcheck disable=SC2086
            "$SOURCE/configure" --prefix="/opt/$NAME" --with-ensurepip=no $OPTIONS
            make -j"$JOBS"
            make install
            rm -rf "/build/$NAME"
        ' >"$log" 2>&1 || { tail -n 5 "$log" >&2; die "building $version-$kind failed: $log"; }
    echo $((SECONDS - started)) | $sudo tee "$root/opt/$name/seconds" >/dev/null
}

if [ "${1-}" = --help ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit
fi
cache=$(scripts/as-user.sh sh -c 'echo "${PYTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytrace}"')
root=$cache/debian-cpythons
log=$cache/debian-cpythons.log
mapfile -t builds < <(wanted "$@")
[ ${#builds[@]} -gt 0 ] || exit 2
scripts/as-user.sh mkdir -p "$cache"
# Two runs at once: the second waits, and finds the work done.
exec 9<scripts/cpythons.sh
flock 9
make_root
# The tests of PGO want one. Unmounted whatever happens.
if inside mount -t proc proc /proc 2>/dev/null; then
    trap 'inside umount -l /proc' EXIT
fi
for each in "${builds[@]}"; do
    version=${each%%-*}
    kind=${each#*-}
    prefix=$root/opt/cpython-$each
    [ -e "$prefix/seconds" ] || build "$version" "$kind"
    python=$(find "$prefix/bin" -name "python$version*" -not -name '*config' | sort | head -n 1)
    say "$each: built in $(cat "$prefix/seconds") s"
    echo "$each=$root:${python#"$root"}"
done
rm -f "$log"
