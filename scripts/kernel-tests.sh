#!/bin/bash
# kernel-tests.sh PYTRACE  boots Debian's kernels in QEMU, with a reduced truth test in each.
#
# No virtualisation is needed: the processor is emulated, which makes a kernel take a minute or
# two. ONLY="5.10 6.1" for some of them. Logs of a kernel that fails are kept, and named.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
[ $# -eq 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
pytrace=$1
only=${ONLY:-5.10 6.1 6.12 newest lockdown}
work=$(mktemp -d "${TMPDIR:-/tmp}/pytrace-kernels.XXXXXX")
failed=0
qemu=

# The machine does not outlive us, whatever ends us.
clean_up() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
    rm -f "$work/initramfs"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

suite_of() {
    case $1 in
        5.10)   echo bullseye ;;
        6.1)    echo bookworm ;;
        6.12)   echo trixie ;;
        newest) echo sid ;;
        *)      echo "kernel-tests: unknown kernel: $1 (there are: 5.10 6.1 6.12 newest)" >&2; exit 1 ;;
    esac
}

# try NAME KERNEL WORDS: boots it with these words on its command line; a row of the table.
try() {
    local name=$1 image=$2 words=$3 log=$work/$1 started=$SECONDS verdict=well
    # In the background, since bash leaves no trap's command to run before what is in front has ended.
    timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
        -nodefaults -no-reboot -display none -kernel "$image" -initrd "$work/initramfs" \
        -serial "file:$log.console" -serial "file:$log.out" \
        -append "console=ttyS0 panic=-1 $words" </dev/null 2>"$log.qemu" &
    qemu=$!
    wait "$qemu" || verdict=FAILED
    qemu=
    if [ "$(tail -n 1 "$log.out" 2>/dev/null)" != end ] || grep -q '^FAILED' "$log.out"; then
        verdict=FAILED
    fi
    printf '%-22s %-28s %-7s %3d identical %3d differ %5d s\n' "$name" \
        "$(sed -n 's/.*Linux version \([^ ]*\) .*/\1/p' "$log.console" | head -n 1)" "$verdict" \
        "$(grep -c ' identical:' "$log.out")" "$(grep -c ' DIFFERS' "$log.out")" \
        $((SECONDS - started))
    if [ $verdict = FAILED ]; then
        failed=1
        grep -A 12 '^FAILED' "$log.out" || tail -n 12 "$log.console"
        echo "    all of it: $log.out, $log.console"
    fi
}

scripts/kernel-initramfs.sh "$pytrace" "$work/initramfs"
for kernel in $only; do
    if [ "$kernel" = lockdown ]; then
        image=$(scripts/kernel-images.sh bookworm)
        try lockdown=confidentiality "$image" "lockdown=confidentiality TRY=refusal:confidentiality"
        try lockdown=integrity "$image" "lockdown=integrity TRY=truth"
        continue
    fi
    image=$(scripts/kernel-images.sh "$(suite_of "$kernel")")
    try "$kernel" "$image" "TRY=truth"
done
[ $failed = 1 ] || rm -rf "$work"
exit $failed
