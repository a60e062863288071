# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# scripts/test --on HOME: the tests in another home than this system: another release of Debian,
# another processor, or another C library. Sourced by scripts/test, after lib.sh. What is made for it lies in build/homes.
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

# The build directories there stay; files keep their times, so that only what changed is built.
copy_sources() {
    mkdir -p "$1/wsrx"
    find "$1/wsrx" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -rf {} +
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
    elif ! (need_packages 'debootstrap debootstrap') >&2 ||
        ! make_debian "$release" "$system" ca-certificates python3 >&2; then
        skip_home "$home" "debootstrap: $(debootstrap_error)"
    else
        copy_sources "$system"
        within "$system" env -u CC /wsrx/scripts/test "$suite" </dev/null
    fi
}

# --- the programs under test -------------------------------------------------------------------

# build_programs DIRECTORY COMPILER...: those that the tests start.
build_programs() {
    local directory=$1 log=$scratch/programs.log
    local -a cc=("${@:2}" -std=gnu11 -O2 -g -D_GNU_SOURCE -U_FORTIFY_SOURCE -pthread)

    (
        cd "$top/tests" &&
            "${cc[@]}" -iquote lib -iquote preload/victim preload/victim/*.c lib/pattern.c \
                lib/raw_syscall.c -rdynamic -o "$directory/victim" &&
            "${cc[@]}" -iquote lib readiness/waiter/*.c lib/pattern.c -o "$directory/waiter" &&
            "${cc[@]}" process/victim/*.c lib/pattern.c -o "$directory/process-victim" \
                -Wl,--export-dynamic-symbol=wine_main_preload_info
    ) >"$log" 2>&1 </dev/null || build_failed "the build of the programs under test" "$log"
}

# build_library DIRECTORY CROSS_FILE: into DIRECTORY/build, with the unit tests.
build_library() {
    local directory=$1 log=$scratch/cross.log

    if [ ! -e "$directory/build/build.ninja" ] || [ ! -e "$directory/build/tests/unit" ]; then
        rm -rf "$directory/build"
        CC='' meson setup --cross-file "$2" -Dtests=enabled -Dtools=disabled -Dwine=disabled \
            -Dffi=disabled "$directory/build" "$top" >"$log" 2>&1 </dev/null ||
            build_failed "meson setup" "$log"
    fi
    meson compile -C "$directory/build" >"$log" 2>&1 </dev/null || build_failed "meson compile" "$log"
    ! grep 'warning:' "$log"
}

# run_tests HOME DIRECTORY EMULATOR PROGRAM...: the test programs of this system on those of the
# directory; a path is a test program of that home.
run_tests() {
    local home=$1 directory=$2 emulator=$3 name
    local -a programs=()
    shift 3

    for name in "$@"; do
        case $name in
        /*) programs+=("$name") ;;
        *) programs+=("$build/tests/${name%%-*}/$name") ;;
        esac
    done
    WSRX_TEST_SOURCE_ROOT=$top WSRX_TEST_LIBRARY=$directory/build/preload/libwsrx.so.0 \
        WSRX_TEST_VICTIM=$directory/victim WSRX_TEST_WAITER=$directory/waiter \
        WSRX_TEST_PROCESS_VICTIM=$directory/process-victim WSRX_TEST_TOOL=$build/tools/wsrx \
        WSRX_TEST_EMULATOR=$emulator \
        /usr/bin/python3 -B "$top/tests/homes/run.py" "$home" "$top/tests/homes/limits" "${programs[@]}"
}

# targets PROGRAM...: what Meson has to build of this system's.
targets() {
    local name

    echo tools/wsrx
    for name in "$@"; do
        case $name in
        /*) ;;
        *) echo "tests/${name%%-*}/$name" ;;
        esac
    done
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

# build_for HOME DIRECTORY: the library and the programs under test, with the compiler here.
build_for() {
    local home=$1 directory=$2 prefix family order
    local -a arguments

    read -r prefix family order _ arguments < <(sed -n "s/^$home //p" <<<"$processors")
    read -ra arguments <<<"${arguments-}"
    mkdir -p "$directory"
    write_cross_file "$prefix" "$family" "$order" >"$directory/cross.ini"
    build_library "$directory" "$directory/cross.ini"
    build_programs "$directory" "$prefix-gcc" "${arguments[@]}"
}

# need_compiler HOME: where there is none for it.
need_compiler() {
    local prefix

    read -r prefix _ < <(sed -n "s/^$1 //p" <<<"$processors")
    need_packages "
        gcc-$prefix                     $prefix-gcc
        libc6-dev-$(debian_name "$1")-cross /usr/$prefix/include/stdio.h
        "
}

# Debian's compilers for other processors and gcc-multilib exclude each other: apt-get would remove
# it, and with it what tests/m32 needs. So they are installed in a system of their own.
build_in_debian() {
    local home=$1 system=$2 release

    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    case $release in
    bookworm | trixie) ;;
    *) release=bookworm ;;
    esac
    (need_packages 'debootstrap debootstrap') || return 1
    make_debian "$release" "$system" ca-certificates python3 || return 1
    copy_sources "$system"
    # shellcheck disable=SC2016 # expanded there
    within "$system" /bin/bash -euc '
        source /wsrx/scripts/lib.sh
        source "$top/scripts/homes.sh"
        need_packages "$packages_to_build"
        need_compiler "$1"
        build_for "$1" "$homes/$1"' test "$home" </dev/null
}

# What qemu-user can show: not what goes by its memory or robust mutexes, nor SO_COOKIE, preadv2 and
# programs that a shell starts.
processor_tests=(
    preload-{address,descriptors,hold,modes,public,readiness,reporting,selectors,splice,stale}
    readiness-{poll,signals,epoll_modes,epoll_sets,epoll_others}
)
processor_units=(bounce_buffer epoll_registry fd_select filter message plan settings settings_help
    table table_abandon table_model table_signal)

test_processor() {
    local home=$1 prefix qemu directory=$homes/$1 root=
    local -a tests=("${processor_tests[@]}")

    read -r prefix _ _ qemu _ < <(sed -n "s/^$home //p" <<<"$processors")
    if ! (need_packages "qemu-user-static qemu-$qemu-static") >&2; then
        skip_home "$home" "no qemu-user"
        return
    fi
    if is_there "$prefix-gcc" || [ ! -e /usr/include/asm ]; then
        if ! (need_compiler "$home") >&2; then
            skip_home "$home" "no compiler for it"
            return
        fi
        build_for "$home" "$directory" >&2
    elif [ "$(id -u)" -ne 0 ]; then
        skip_home "$home" "gcc-$prefix would remove gcc-multilib, and only root can make a Debian for it"
        return
    else
        root=$homes/cross
        directory=$root/wsrx/build/homes/$home
        if ! build_in_debian "$home" "$root" >&2; then
            skip_home "$home" "its build in $root failed: see above; $(debootstrap_error)"
            return
        fi
    fi
    # The test programs themselves are this system's.
    # shellcheck disable=SC2046 # words
    build_it $(targets "${tests[@]}") >&2
    tests+=("${processor_units[@]/#/$directory/build/tests/unit/test_}")
    run_tests "$home" "$directory" "qemu-$qemu-static -L $root/usr/$prefix" "${tests[@]}"
}

# --- another C library --------------------------------------------------------------------------

# The kernel's headers, of which musl's compiler knows nothing.
kernel_headers() {
    local to=$1 multiarch

    multiarch=$(gcc -print-multiarch)
    mkdir -p "$to"
    ln -sfn /usr/include/linux "$to/linux"
    ln -sfn /usr/include/asm-generic "$to/asm-generic"
    ln -sfn "/usr/include/$multiarch/asm" "$to/asm"
}

# Readiness and processes whole, and of the preload's tests those that say nothing of glibc.
musl_tests=(
    preload-{address,ancillary,descriptors,flags,hold,memory,modes,plain,processes,public,readiness}
    preload-{reporting,selectors,settings,splice,stale}
    readiness-{poll,epoll_modes,epoll_sets,epoll_errors,epoll_others,epoll_learned,signals,ending}
    process-{forks,daemons,prefork,cancel,blocked}
)
musl_units=(
    bounce_buffer epoll_registry fd_cached fd_select filter message plan settings settings_help table
    table_{abandon,damaged,death,hostile,memory,model,process,signal} user_memory
)

test_musl() {
    local directory=$homes/musl name
    local -a cc tests=("${musl_tests[@]}")

    if [ "$(uname -m)" != x86_64 ]; then
        skip_home musl "a matter of x86-64 (the list of what differs was made there)"
        return
    fi
    if ! (need_packages "musl-tools musl-gcc") >&2; then
        skip_home musl "no musl-gcc"
        return
    fi
    kernel_headers "$directory/kernel"
    write_musl_file "$directory/kernel" >"$directory/cross.ini"
    build_library "$directory" "$directory/cross.ini" >&2
    cc=(musl-gcc -isystem "$directory/kernel")
    (cd "$top" && "${cc[@]}" -std=gnu11 -Icore -c core/base/libc.c -o "$directory/libc.o") >&2
    build_programs "$directory" "${cc[@]}" -include homes/musl/musl.h -Ihomes/musl homes/musl/musl.c \
        "$directory/libc.o" >&2
    for name in contract errors; do
        tests+=("$directory/shim-$name")
        "${cc[@]}" -std=gnu11 -O2 -I"$top"/{core,preload,shim} "$top"/tests/shim/{case,"$name"}.c \
            -L"$directory"/build/{shim,preload} -lwsrx-winsock -lwsrx -pthread \
            -Wl,-rpath,"$directory/build/shim:$directory/build/preload" \
            -o "$directory/shim-$name" >&2
    done
    # shellcheck disable=SC2046 # words
    build_it $(targets "${tests[@]}") >&2
    build_it preload/wsrx:shared_library tests/preload/victim/victim >&2
    write_kinds "$directory" >"$directory/kinds"
    chmod +x "$directory/kinds"
    tests+=("${musl_units[@]/#/$directory/build/tests/unit/test_}" "$directory/kinds")
    run_tests musl "$directory" '' "${tests[@]}"
}

# `wsrx run` on programs of both libcs, as a test program.
write_kinds() {
    cat <<END
#!/bin/sh
PYTHONPATH='$top/tests/lib' exec /usr/bin/python3 -B '$top/tests/homes/kinds.py' \\
    '$build/preload/libwsrx.so.0' '$build/tools/wsrx' '$build/tests/preload/victim/victim' \\
    'lib/$(gcc -print-multiarch)' x86_64-linux-musl '$1/build/preload/libwsrx.so.0' '$1/victim'
END
}

write_musl_file() {
    cat <<END
[binaries]
c = 'musl-gcc'
ar = 'ar'
strip = 'strip'
[built-in options]
c_args = ['-isystem', '$1']
[host_machine]
system = 'linux'
cpu_family = '$(uname -m)'
cpu = '$(uname -m)'
endian = 'little'
END
}

# test_on HOME: the last line is the count; exit status 0 if none failed.
test_on() {
    case $1 in
    debian12 | debian13) test_debian "$1" ;;
    aarch64 | armhf | riscv64 | s390x) test_processor "$1" ;;
    musl) test_musl ;;
    *) fail "no such home: $1 (debian12, debian13, musl, aarch64, armhf, riscv64, s390x)" ;;
    esac
}

# The release that this system is not; nothing on other systems.
other_debian() {
    case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) in
    bookworm) echo debian13 ;;
    trixie) echo debian12 ;;
    esac
}
