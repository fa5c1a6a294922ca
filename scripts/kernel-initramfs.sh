#!/bin/bash
# kernel-initramfs.sh PYTRACE FILE  makes the file system that scripts/kernel-tests.sh boots.
#
# In it are PYTRACE, the system's Python, those of Debian bullseye (3.9) and trixie (3.13), which have
# most to be bridged on old kernels, as roots of their own in /bullseye and /trixie, and the tests.
# Nothing of the kernel's: no module is needed. Uncompressed, as unpacking takes an emulated processor
# longer than copying.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
[ $# -eq 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
pytrace=$1 file=$2
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

# skeleton DIRECTORY: an empty root, with the links that Debian has.
skeleton() {
    local name
    mkdir -p "$1"/usr/{bin,sbin,lib,lib64} "$1"/{proc,sys,dev,tmp,root,etc,run}
    for name in bin sbin lib lib64; do
        ln -s "usr/$name" "$1/$name"
    done
}

# libraries ROOT FILE...: the paths of what these files of that root are linked with.
libraries() {
    local root=$1
    shift
    chroot "$root" ldd "$@" 2>/dev/null |
        sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) (0x.*/\2/p' | sort -u
}

# python ROOT PROGRAM DIRECTORY: that interpreter, its standard library without its tests, and
# what these are linked with; and libgcc_s, which glibc loads where a thread ends by pthread_exit().
python() {
    local root=$1 program=$2 to=$3 library
    library=$(chroot "$root" "$program" -I -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    mkdir -p "$to$library"
    cp -L "$root$program" "$to$program"
    tar -C "$root$library" --exclude=__pycache__ --exclude=./test --exclude=./dist-packages \
        --exclude=./idlelib --exclude=./ensurepip --exclude='./config-*' -c . |
        tar -C "$to$library" -x
    # shellcheck disable=SC2046 # a list of words
    copy "$root" "$to" $(libraries "$root" "$program" \
        $(cd "$root" && ls -d "${library#/}"/lib-dynload/*.so | sed 's|^|/|'))
    copy "$root" "$to" "$(chroot "$root" ldconfig -p | sed -n 's/.* => \(.*\/libgcc_s\.so\.1\)$/\1/p' |
        head -n 1)"
}

# copy ROOT DIRECTORY FILE...: to the same paths. Links there may begin at that root.
copy() {
    local root=$1 to=$2 name
    shift 2
    for name; do
        mkdir -p "$to$(dirname "$name")"
        cp "$root$(chroot "$root" realpath "$name")" "$to$name"
    done
}

skeleton "$new"
python / /usr/bin/python3 "$new"
# shellcheck disable=SC2046
copy / "$new" $(libraries / "$(realpath "$pytrace")")
strip -o "$new/usr/bin/pytrace" "$pytrace"
cp -L "$(command -v busybox)" "$new/bin/busybox"
cp tests/kernels/init "$new/init"
mkdir "$new/tests"
cp -r tests/programs tests/truth tests/kernels "$new/tests"

for other in bullseye:3.9 trixie:3.13; do
    suite=${other%:*}
    root=$(scripts/interpreters.sh "$suite")
    skeleton "$new/$suite"
    python "$root" "/usr/bin/python${other#*:}" "$new/$suite"
done

(cd "$new" && find . | cpio --quiet -o -H newc -R 0:0) >"$file"
