# SPDX-License-Identifier: MIT
"""A Debian of its own for each run: with the library in /etc/ld.so.preload, or without it.

The directory that `make-system` has made is never written to: each run has an overlay above it, and
namespaces of its own (mounts, processes, network, IPC, host name). All that a run starts ends with
it. Needs root.
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402 (the path comes first)

LIMIT = 240  # seconds that one run may take, however busy the machine is
COMPLETE = "etc/wsrx-strangers"  # the last thing that make-system writes there
PRELOADED = "/usr/lib/libwsrx.so.0"

# Run by sh in namespaces of its own, outside of the system. A chroot would not do: who is in one
# may not make user namespaces, which sandboxes are made of.
ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" overlay "$work/root"
cd "$work/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    touch dev/$name
    mount --bind /dev/$name dev/$name
done
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir -m 1777 dev/shm
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs run
mkdir -m 1777 run/lock srv/trace
ip link set lo up
rm -f etc/resolv.conf
echo nameserver 127.0.0.1 >etc/resolv.conf
echo stranger >etc/hostname
hostname stranger
printf '127.0.0.1 localhost\\n127.0.1.1 stranger.example stranger\\n' >etc/hosts
[ ! -e "$share" ] || { mkdir -p srv/share; cp -r "$share/." srv/share; }
if [ -n "$library" ]; then
    cp "$library" ."$preloaded"
    chmod 644 ."$preloaded"
    echo "$preloaded" >etc/ld.so.preload
else
    rm -f etc/ld.so.preload
fi
mkdir -p old
pivot_root . old
cd /
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb \\
    DEBIAN_FRONTEND=noninteractive $settings \\
    /bin/bash -c 'umount -l /old; rmdir /old; bash /srv/share/script; exit $?' </dev/null
"""

FUNCTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "functions.sh")


class System:
    def __init__(self, library, directory):
        self.library, self.directory = os.path.abspath(library), os.path.abspath(directory)

    @staticmethod
    def missing(directory, wanted=COMPLETE):
        """Why nothing can be run, or None."""
        if not os.path.exists(os.path.join(directory, wanted)):
            return "no Debian here: tests/strangers/make-system makes it"
        if os.geteuid() != 0:
            return "needs root"
        return None

    def run(self, script, library=True, settings="", files=(), limit=LIMIT):
        """The exit status of the script, and what it prints."""
        with tempfile.TemporaryDirectory(prefix="wsrx-strangers-") as work:
            share = os.path.join(work, "share")
            overlay = os.path.join(work, "overlay")
            os.mkdir(share)
            os.mkdir(overlay)
            shutil.copy(FUNCTIONS, os.path.join(share, "functions"))
            with open(os.path.join(share, "script"), "w", encoding="utf-8") as file:
                file.write("source /srv/share/functions\n" + script)
            for name in files:
                if os.path.isdir(name):
                    shutil.copytree(name, os.path.join(share, os.path.basename(name)),
                                    symlinks=True)
                else:
                    shutil.copy(name, share)
            environment = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
                           "work": overlay, "lower": self.directory, "share": share,
                           "library": self.library if library else "",
                           "preloaded": PRELOADED, "settings": settings}
            try:
                done = subprocess.run(
                    ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork",
                     "--kill-child", "sh", "-c", ENTER],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    env=environment, timeout=limit, check=False)
                return done.returncode, text_of(done.stdout)
            except subprocess.TimeoutExpired as error:
                return None, text_of(error.output or b"") + f"not done in {limit} seconds\n"


def text_of(data):
    return data.decode("utf-8", "backslashreplace")


if __name__ == "__main__":
    # By hand: system.py LIBRARY DIRECTORY SCRIPT [without] [NAME=VALUE...]
    with open(sys.argv[3], encoding="utf-8") as text:
        STATUS, OUT = System(*sys.argv[1:3]).run(
            text.read(), "without" not in sys.argv,
            " ".join(word for word in sys.argv[4:] if "=" in word),
            limit=int(os.environ.get("LIMIT", LIMIT)))
    print(OUT, end="")
    print("exit status", STATUS)
