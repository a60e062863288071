# SPDX-License-Identifier: MIT
"""The Debian of make-system as a machine that boots: systemd, its services, and then a script.

As `system.py` for a chroot. Each run boots the same image (what it writes goes with it), with the
library in /etc/ld.so.preload or without; settings of the library's go to systemd, which hands them
to all that it starts. The script is a service of its own; what it prints is the result.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from system import COMPLETE, FUNCTIONS, PRELOADED
import machine  # in lib, which system.py has put on the path

LIMIT = 1700  # seconds that one run may take, emulated and on a busy machine
SBIN = ":/usr/sbin:/sbin"
ROOM = 512  # MiB of the image beside the files

# The first process: it unpacks the second disk, and what came with it goes on.
FIRST = ('root=/dev/nvme0n1 rootfstype=ext4 rw init=/bin/sh -- '
         '-c "mount -t devtmpfs dev /dev; tar -xf /dev/nvme1n1 -C /; . /srv/share/first"')

SCRIPT_UNIT = """[Unit]
Description=What the test runs
[Service]
Type=exec
Environment=HOME=/root LC_ALL=C.UTF-8 TERM=dumb
ExecStart=/bin/bash /srv/share/script
ExecStopPost=/bin/sh -c 'echo "exit status $EXIT_STATUS"'
ExecStopPost=systemctl --no-block poweroff --force
StandardOutput=file:/dev/ttyS1
StandardError=inherit
"""

BEGIN = """
mount -t tmpfs -o mode=755 tmpfs /run
echo stranger >/etc/hostname
printf '127.0.0.1 localhost stranger\\n' >/etc/hosts
rm -f /etc/resolv.conf /usr/sbin/policy-rc.d
echo nameserver 127.0.0.1 >/etc/resolv.conf
ln -s /dev/null /etc/systemd/system/e2scrub_reap.service
ln -s ../script.service /etc/systemd/system/multi-user.target.wants/script.service
umount /run
exec /sbin/init
"""


class Booted:
    def __init__(self, library, directory):
        self.library, self.directory = os.path.abspath(library), os.path.abspath(directory)
        self.image = self.directory + ".ext4"

    @staticmethod
    def missing(directory):
        if not os.path.exists(os.path.join(directory, "boot/vmlinuz")):
            return "no Debian with a kernel here: tests/strangers/make-system makes it"
        if os.geteuid() != 0:
            return "needs root, to read all of that Debian"
        if not shutil.which("mke2fs", path=os.environ.get("PATH", "") + SBIN):
            return "no mke2fs"
        return machine.missing()

    def make_image(self):
        """The image of the directory, made once."""
        made = os.path.join(self.directory, COMPLETE)
        if os.path.exists(self.image) and os.path.getmtime(self.image) > os.path.getmtime(made):
            return
        size = int(subprocess.check_output(["du", "-sm", self.directory]).split()[0]) + ROOM
        new = self.image + ".new"
        if os.path.exists(new):
            os.unlink(new)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", self.directory,
                        new, f"{size}M"], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, PATH=os.environ.get("PATH", "") + SBIN))
        os.rename(new, self.image)

    def run(self, script, library=True, settings="", files=(), limit=LIMIT):
        """The exit status of the script, and what it prints."""
        self.make_image()
        with tempfile.TemporaryDirectory(prefix="wsrx-booted-") as work:
            disk = os.path.join(work, "disk.tar")
            with tarfile.open(disk, "w", format=tarfile.GNU_FORMAT) as archive:
                for name in [FUNCTIONS[:-3], *files]:
                    source = FUNCTIONS if name == FUNCTIONS[:-3] else name
                    add(archive, "srv/share/" + os.path.basename(name), contents(source), 0o755)
                add(archive, "srv/share/script", "source /srv/share/functions\n" + script)
                add(archive, "srv/share/first", BEGIN)
                add(archive, "etc/systemd/system/script.service", SCRIPT_UNIT)
                if settings:
                    add(archive, "etc/systemd/system.conf.d/wsrx.conf",
                        f"[Manager]\nDefaultEnvironment={settings}\n")
                if library:
                    add(archive, PRELOADED, contents(self.library))
                    add(archive, "etc/ld.so.preload", PRELOADED + "\n")
            out, console = machine.Machine(os.path.join(self.directory, "boot/vmlinuz")).run(
                [self.image, disk], FIRST, limit)
        if out is None:
            return None, f"not done in {limit} seconds; its console:\n{console[-3000:]}"
        out, _, status = out.rpartition("exit status ")
        if not status.strip().isdigit():
            return None, f"it ended before its script did; its console:\n{console[-3000:]}"
        return int(status), out


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def add(archive, name, data, mode=0o644):
    data = data if isinstance(data, bytes) else data.encode()
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    # By hand: booted.py LIBRARY DIRECTORY SCRIPT [without] [NAME=VALUE...]
    STATUS, OUT = Booted(*sys.argv[1:3]).run(
        contents(sys.argv[3]).decode(), "without" not in sys.argv,
        " ".join(word for word in sys.argv[4:] if "=" in word))
    print(OUT, end="")
    print("exit status", STATUS, "by", machine.Machine.accel)
