# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What scripts/demo and scripts/test share: installing what is missing, and building.
#
# Sourced, never run. Every way to fail ends in fail(): one line on stderr, exit status 1.
# It installs packages of the distribution and writes to $build; it changes nothing else.

me=${0##*/}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=$top/build

# Debian's own programs first: Debian's meson needs Debian's python3, and the programs that are
# shown and tested are Debian's, whatever pyenv or Homebrew have put on the PATH.
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C.UTF-8
# This is a tool of its own, not a program to be run under the library.
unset LD_PRELOAD "${!WSRX_@}"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/wsrx-$me.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

say() {
    printf '%s: %s\n' "$me" "$*"
}

fail() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# One line a package: its name, and what shows that it is there: a program, or a file.
# What is there by other means than a package is good too.
# shellcheck disable=SC2034 # used by the scripts
packages_to_build='
gcc                 gcc
libc6-dev           /usr/include/stdio.h
meson               meson
ninja-build         ninja
pkg-config          pkg-config
python3             /usr/bin/python3
'
# shellcheck disable=SC2034 # used by the scripts
packages_to_build_tools='
libpopt-dev         /usr/include/popt.h
libjson-c-dev       /usr/include/json-c/json.h
libelf-dev          /usr/include/gelf.h
'

is_there() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

installed= # something, in this run

# missing_of LIST: its packages that are not there, one a line.
missing_of() {
    local package proof

    while read -r package proof; do
        if [ -n "$package" ] && ! is_there "$proof"; then
            echo "$package"
        fi
    done <<<"$1"
}

# need_packages LIST: installs the packages of the list that are not there, and says so first.
need_packages() {
    local missing

    mapfile -t missing < <(missing_of "$1")
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi

    say "installing from the distribution: ${missing[*]}"
    install_packages "${missing[@]}"
    installed=yes
    mapfile -t missing < <(missing_of "$1")
    [ ${#missing[@]} -eq 0 ] ||
        fail "installed, but what each of these is known by is not there: ${missing[*]}"
}

# as_root COMMAND...: runs it, with sudo where that is needed.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_packages() {
    local log=$scratch/apt.log list="$*"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30
        -o DPkg::Lock::Timeout=120)

    command -v apt-get >/dev/null ||
        fail "no apt-get here, so this system is not Debian-like: install the counterparts of" \
            "$list by hand and run this again"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "installing $list needs root: no sudo here, so run this as root"
        # Asking for a password needs somebody to ask.
        if [ -t 0 ]; then
            sudo -v || fail "installing $list needs root, and sudo did not allow it"
        else
            sudo -n true 2>/dev/null ||
                fail "installing $list needs root, and sudo asks for a password: run this as root"
        fi
    fi

    # A source that fails (a third party's, say) does no harm if the packages come all the same;
    # so the install decides, and the update's complaints only explain its failure.
    as_root "${apt[@]}" update >"$log" 2>&1 </dev/null || true
    if as_root "${apt[@]}" install "$@" >>"$log" 2>&1 </dev/null; then
        return
    fi

    if grep -qE "^E: (Unable to locate package|Package .* has no installation candidate)" "$log" &&
        ! grep -qE "^(Err:|W: Failed to fetch|E: Failed to fetch)" "$log"; then
        fail "no package: $(apt_error "$log") (is Debian's \"main\" in /etc/apt/sources.list?)"
    fi
    if grep -qE "Temporary failure resolving|Could not (resolve|connect)|Unable to connect|\
Network is unreachable|Connection (timed out|refused|failed)|Failed to fetch" "$log"; then
        fail "no network: apt-get could not fetch $list:" \
            "$(grep -E '^ *(Temporary|Could not|Unable|W: Failed|E: Failed)' "$log" |
                head -n 1 | sed 's/^[WE: ]*//')"
    fi
    fail "apt-get install $list failed: $(apt_error "$log")"
}

# need_packages_m32 LIST: as need_packages, for a list that needs the i386 architecture of Debian.
# Where these do not come, the tests that want them say so themselves.
need_packages_m32() {
    local missing

    mapfile -t missing < <(missing_of "$1")
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    say "installing from the distribution: ${missing[*]}"
    # In a shell of its own, so that its fail() is not the end of all.
    if (as_root dpkg --add-architecture i386 && install_packages "${missing[@]}"); then
        installed=yes
    else
        say "going on without them"
    fi
}

# apt_error LOG: apt's first error, or else its last line.
apt_error() {
    grep -m 1 '^E: ' "$1" | sed 's/^E: //' | grep . || tail -n 1 "$1"
}

# make_debian RELEASE[:ARCHITECTURE] DIRECTORY [PACKAGE...]: a Debian of that release with no more than
# these packages, unless it is there. Needs root, and debootstrap. Status 1: why is in
# debootstrap_error.
make_debian() {
    local release=${1%:*} architecture=${1#"${1%:*}"} system=$2 log=$scratch/debootstrap.log include=
    shift 2

    [ ! -e "$system/complete" ] || return 0
    say "installing Debian ($release$architecture) in $system"
    rm -rf --one-file-system "$system"
    mkdir -p "$(dirname "$system")"
    [ $# -eq 0 ] || include=--include=$(printf '%s\n' "$@" | paste -sd ,)
    debootstrap --variant=minbase ${architecture:+"--arch=${architecture#:}"} \
        ${include:+"$include"} "$release" "$system" >"$log" 2>&1 </dev/null || return 1
    touch "$system/complete"
}

debootstrap_error() {
    grep -m 1 '^[EW]: ' "$scratch/debootstrap.log" 2>/dev/null ||
        tail -n 1 "$scratch/debootstrap.log" 2>/dev/null || true
}

# within SYSTEM COMMAND...: as root in that system, in a mount and process namespace of its own, so
# that nothing stays mounted, and nobody runs on.
within() {
    local system=$1
    shift
    # shellcheck disable=SC2016 # expanded there
    unshare --mount --pid --fork --kill-child --propagation private /bin/sh -ec '
        mount --bind "$1" "$1" # so that it can be done once more from there
        mount -t proc proc "$1/proc"
        mount -t sysfs sys "$1/sys"
        mount -t tmpfs shm "$1/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 pts "$1/dev/pts"
        mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"
        system=$1
        shift
        exec chroot "$system" "$@"' sh "$system" "$@"
}

# is_older FOUND WANTED: whether a version is older than another.
is_older() {
    [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# The compiler may be two words, as in CC="ccache gcc".
check_tools() {
    local version macros family
    local -a cc

    export CC=${CC:-gcc}
    read -ra cc <<<"$CC"
    command -v "${cc[0]-}" >/dev/null || fail "no compiler: CC=\"$CC\" is not there"
    macros=$(printf '' | "${cc[@]}" -std=gnu11 -dM -E - 2>"$scratch/cc.log") ||
        fail "the compiler CC=\"$CC\" does not work: $(head -n 1 "$scratch/cc.log")"
    if version=$(macro __clang_major__ "$macros"); then
        family=clang
        if [ "$version" -lt 11 ]; then
            fail "compiler too old: $CC is clang $version, and clang 11 is needed (or gcc 10)"
        fi
    elif version=$(macro __GNUC__ "$macros"); then
        family=gcc
        if [ "$version" -lt 10 ]; then
            fail "compiler too old: $CC is gcc $version, and gcc 10 is needed (or clang 11)"
        fi
    else
        fail "the compiler CC=\"$CC\" is neither gcc nor clang"
    fi
    printf '#include <sys/socket.h>\n' | "${cc[@]}" -std=gnu11 -fsyntax-only -x c - 2>/dev/null ||
        fail "$CC ($family $version) finds no <sys/socket.h>: the C library's headers are missing"

    version=$(meson --version 2>"$scratch/meson.log") ||
        fail "meson does not work: $(tail -n 1 "$scratch/meson.log")"
    if is_older "$version" 1.0; then
        fail "meson too old: $(command -v meson) is $version, and 1.0 is needed"
    fi
}

macro() {
    sed -n "s/^#define $1 //p" <<<"$2" | grep .
}

# Options of Meson's that a script needs set, beside those of a first configuration.
build_options=()

# configure_it: makes the build directory, or gives an existing one the options.
configure_it() {
    local log=$scratch/build.log multiarch options=()

    check_tools
    mkdir -p "$build" 2>/dev/null || true
    if [ ! -w "$build" ]; then
        fail "cannot write to $build (it belongs to $(stat -c %U "$build" 2>/dev/null ||
            stat -c %U "$top")): run this as that user, or remove it"
    fi
    if [ ! -e "$build/build.ninja" ]; then
        say "configuring $build"
        # Without dpkg-dev Meson would install to lib64, where Debian's loader does not look.
        multiarch=$(gcc -print-multiarch 2>/dev/null || true)
        if [ -n "$multiarch" ]; then
            options+=("-Dlibdir=lib/$multiarch")
        fi
        meson setup "${options[@]}" "${build_options[@]}" "$build" "$top" >"$log" 2>&1 </dev/null ||
            build_failed "meson setup" "$log"
        return
    fi
    # Meson remembers what did not compile; with the packages that came just now it may.
    if [ -n "$installed" ]; then
        meson configure --clearcache "$build" >"$log" 2>&1 </dev/null ||
            build_failed "meson configure" "$log"
    fi
    if [ ${#build_options[@]} -gt 0 ]; then
        meson configure "${build_options[@]}" "$build" >"$log" 2>&1 </dev/null ||
            build_failed "meson configure" "$log"
    fi
}

# build_it [TARGET...]: configures if needed, and builds these targets of Meson's, or all.
build_it() {
    local log=$scratch/build.log

    configure_it
    say "building in $build"
    meson compile -C "$build" "$@" >"$log" 2>&1 </dev/null || build_failed "meson compile" "$log"
    grep 'warning:' "$log" >&2 || true
}

# build_failed STEP LOG: here the one line alone would not help, so the errors come before it.
build_failed() {
    grep -E 'error:|ERROR:|undefined reference' "$2" | head -n 20 >&2 || tail -n 20 "$2" >&2
    fail "$1 failed; for all that it says: rm -r $build && meson setup $build $top &&" \
        "meson compile -C $build"
}
