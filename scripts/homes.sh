# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# scripts/test --on HOME: the tests in another home than this system: another release of Debian, or
# another processor. Sourced by scripts/test, after lib.sh. What is made for it lies in build/homes.
#
# What a machine cannot run ends in skip_home(): one line, counted as one that is skipped.

homes=$build/homes
# One line a home of another processor: its name, Debian's name of its compiler, Meson's name of the
# processor, its byte order, qemu's name of it, and what makes it a home of its own.
processors='
aarch64 aarch64-linux-gnu aarch64 little aarch64
armhf arm-linux-gnueabihf arm little arm -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
riscv64 riscv64-linux-gnu riscv64 little riscv64
s390x s390x-linux-gnu s390x big s390x
'
debian_of() {
    case $1 in
    debian12) echo bookworm ;;
    debian13) echo trixie ;;
    *) return 1 ;;
    esac
}

# skip_home HOME REASON
skip_home() {
    printf 'skipped: %s: %s\n0 passed, 0 failed, 1 skipped\n' "$1" "$2"
    return 0
}

# --- another release --------------------------------------------------------------------------

# The smallest Debian in which scripts/test can install the rest.
make_debian() {
    local release=$1 system=$2 log=$scratch/debootstrap.log

    [ ! -e "$system/complete" ] || return 0
    say "installing Debian ($release) in $system"
    rm -rf "$system"
    mkdir -p "$homes"
    debootstrap --variant=minbase --include=ca-certificates,python3 "$release" "$system" \
        >"$log" 2>&1 </dev/null || return 1
    touch "$system/complete"
}

# In a mount and process namespace of its own, so that nothing stays mounted, and nobody runs on.
within() {
    local system=$1
    shift
    # shellcheck disable=SC2016 # expanded there
    unshare --mount --pid --fork --kill-child --propagation private /bin/sh -ec '
        mount -t proc proc "$1/proc"
        mount -t sysfs sys "$1/sys"
        mount -t tmpfs shm "$1/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 pts "$1/dev/pts"
        mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"
        system=$1
        shift
        exec chroot "$system" "$@"' sh "$system" "$@"
}

# The build directory there stays; files keep their times, so that only what changed is built.
copy_sources() {
    mkdir -p "$1/wsrx"
    find "$1/wsrx" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    (cd "$top" && find . -mindepth 1 -maxdepth 1 ! -name 'build*' ! -name .git \
        -exec cp -a -t "$1/wsrx" {} +)
}

test_debian() {
    local home=$1 release system

    release=$(debian_of "$home")
    system=$homes/$home
    if [ "$(id -u)" -ne 0 ]; then
        skip_home "$home" "only root can make a Debian to change into"
    elif ! unshare --mount --pid --fork true 2>/dev/null; then
        skip_home "$home" "no mount namespace"
    elif ! (need_packages 'debootstrap debootstrap') >&2 || ! make_debian "$release" "$system" >&2; then
        skip_home "$home" "debootstrap: $(tail -n 1 "$scratch/debootstrap.log" 2>/dev/null)"
    else
        copy_sources "$system"
        within "$system" env -u CC /wsrx/scripts/test "$suite" </dev/null
    fi
}

# --- another processor ------------------------------------------------------------------------

write_cross_file() {
    local prefix=$1 family=$2 order=$3

    cat <<END
[binaries]
c = '$prefix-gcc'
ar = '$prefix-ar'
strip = '$prefix-strip'
[built-in options]
c_args = ['-DWSRX_COOKIE_BY_INODE'] # qemu-user has no SO_COOKIE
[host_machine]
system = 'linux'
cpu_family = '$family'
cpu = '$family'
endian = '$order'
END
}

debian_name() {
    case $1 in
    aarch64) echo arm64 ;;
    *) echo "$1" ;;
    esac
}

# cross_build DIRECTORY PREFIX FAMILY ORDER ARGUMENT...: the library, and the programs under test.
cross_build() {
    local directory=$1 prefix=$2 family=$3 order=$4 log=$scratch/cross.log
    local -a cc=("$prefix-gcc" -std=gnu11 -O2 -g -D_GNU_SOURCE -U_FORTIFY_SOURCE)
    shift 4

    mkdir -p "$directory"
    if [ ! -e "$directory/build/build.ninja" ]; then
        write_cross_file "$prefix" "$family" "$order" >"$directory/cross.ini"
        CC='' meson setup --cross-file "$directory/cross.ini" -Dtests=disabled -Dtools=disabled \
            -Dwine=disabled -Dffi=disabled "$directory/build" "$top" >"$log" 2>&1 ||
            build_failed "meson setup" "$log"
    fi
    {
        meson compile -C "$directory/build" &&
            (cd "$top/tests" && "${cc[@]}" "$@" -Ilib -Ipreload/victim preload/victim/*.c \
                lib/pattern.c lib/raw_syscall.c -rdynamic -pthread -o "$directory/victim" &&
                "${cc[@]}" "$@" -Ilib readiness/waiter/*.c lib/pattern.c -pthread \
                    -o "$directory/waiter")
    } >"$log" 2>&1 </dev/null || build_failed "the build with $prefix-gcc" "$log"
}

test_processor() {
    local home=$1 prefix family order qemu directory=$homes/$1
    local -a arguments

    read -r prefix family order qemu arguments < <(sed -n "s/^$home //p" <<<"$processors")
    read -ra arguments <<<"${arguments-}"
    # Debian's compilers for other processors and gcc-multilib exclude each other: apt-get would remove
    # it, and with it what tests/m32 needs.
    if ! is_there "$prefix-gcc" && [ -e /usr/include/asm ]; then
        skip_home "$home" "gcc-$prefix would remove gcc-multilib; install it by hand, or elsewhere"
        return
    fi
    if ! (need_packages "
        gcc-$prefix                     $prefix-gcc
        libc6-dev-$(debian_name "$home")-cross /usr/$prefix/include/stdio.h
        qemu-user-static                qemu-$qemu-static
        ") >&2; then
        skip_home "$home" "no compiler for it, or no qemu-user"
        return
    fi
    # The test programs themselves are this system's.
    build_it tools/wsrx tests/preload/preload-{descriptors,hold,public} >&2
    cross_build "$directory" "$prefix" "$family" "$order" "${arguments[@]}" >&2
    WSRX_TEST_SOURCE_ROOT=$top WSRX_TEST_LIBRARY=$directory/build/preload/libwsrx.so.0 \
        WSRX_TEST_VICTIM=$directory/victim WSRX_TEST_WAITER=$directory/waiter \
        WSRX_TEST_TOOL=$build/tools/wsrx WSRX_TEST_EMULATOR="qemu-$qemu-static -L /usr/$prefix" \
        /usr/bin/python3 -B "$top/tests/homes/run.py" "$home" "$top/tests/homes/limits" \
        "$build"/tests/preload/preload-{descriptors,hold,public}
}

# test_on HOME: the last line is the count; exit status 0 if none failed.
test_on() {
    case $1 in
    debian12 | debian13) test_debian "$1" ;;
    aarch64 | armhf | riscv64 | s390x) test_processor "$1" ;;
    *) fail "no such home: $1 (debian12, debian13, aarch64, armhf, riscv64, s390x)" ;;
    esac
}

# The release that this system is not; nothing on other systems.
other_debian() {
    case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) in
    bookworm) echo debian13 ;;
    trixie) echo debian12 ;;
    esac
}
