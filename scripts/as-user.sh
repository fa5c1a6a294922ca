#!/bin/sh
# as-user.sh COMMAND [ARGS]... runs COMMAND as the person at the keyboard.
#
# Under sudo that is the user who called it, so that nothing in target/ or in a cache ends up
# root's, and so that their cargo is found, which sudo's PATH hides. Otherwise COMMAND runs as it is.
set -eu

home=${HOME:-/root}
become=
if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ]; then
    become="setpriv --reuid=$SUDO_UID --regid=${SUDO_GID:-$SUDO_UID} --init-groups"
    # A tree that this user may not write to (root's own checkout) is root's to build.
    if $become test -w . 2>/dev/null; then
        home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
        # sudo keeps some variables that name root's places.
        unset CARGO_HOME RUSTUP_HOME XDG_CACHE_HOME
    else
        become=
    fi
fi

PATH=$PATH:${CARGO_HOME:-$home/.cargo}/bin:/usr/local/cargo/bin
HOME=$home
export PATH HOME
exec $become "$@"
