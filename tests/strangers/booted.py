# SPDX-License-Identifier: MIT
"""The Debian of make-system as a machine that boots: systemd, its services, and then a script.

As `system.py` for a chroot. Each run boots the same image (what it writes goes with it), with the
library in /etc/ld.so.preload or without; settings of the library's go to systemd, which hands them
to all that it starts. The script is a service of its own; what it prints is the result.

Where the machine is emulated its clock goes by its own instructions (`lib/machine.py`), so that how
busy the host is changes nothing but how long one has to wait. What a boot has printed is kept beside
the image, with a hash of all that went into the machine: it is not booted again for the same.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

from system import COMPLETE, FUNCTIONS, PRELOADED
import machine  # in lib, which system.py has put on the path

LIMIT = 3600  # seconds that one run may take, on a busy machine
MOST = 900  # seconds of processor time that the first run may take; it needs an eighth
MORE = 4  # how many times the first run's processor time each other may take
SBIN = ":/usr/sbin:/sbin"
ROOM = 512  # MiB of the image beside the files

# The first process: it unpacks the second disk, and what came with it goes on.
FIRST = ('root=/dev/nvme0n1 rootfstype=ext4 rw init=/bin/sh -- '
         '-c "mount -t devtmpfs dev /dev; tar -xf /dev/nvme1n1 -C /; . /srv/share/first"')

SCRIPT_UNIT = """[Unit]
Description=What the test runs
[Service]
Type=exec
RuntimeMaxSec=1800
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
        self.image, self.kept = self.directory + ".ext4", self.directory + ".booted"

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

    def run(self, script, library=True, settings="", files=()):
        """The exit status of the script, and what it prints."""
        script = re.sub(r"(?m)^# at most: .*\n", "", script)  # is not the machine's business
        self.make_image()
        os.makedirs(self.kept, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="wsrx-booted-") as work:
            disk = os.path.join(work, "disk.tar")
            self.make_disk(disk, script, library, settings, files)
            wanted = hashlib.sha256(contents(disk) + f"{FIRST} {machine.OWN_CLOCK} "
                                    f"{os.path.getmtime(self.image)}".encode()).hexdigest()
            kept = self.kept_of(library, settings)
            if kept.get("of") != wanted:
                kept = self.boot(disk, self.kept_of(library=False).get("processor"))
                kept["of"] = wanted if kept["status"] is not None else None
                with open(self.kept_in(library, settings), "w", encoding="utf-8") as file:
                    json.dump(kept, file, indent=1)
        return kept["status"], kept["out"]

    def boot(self, disk, first):
        """One run, as it is kept. `first`: the processor time of the first, if known."""
        each = machine.Machine(os.path.join(self.directory, "boot/vmlinuz"), own_clock=True)
        out, console = each.run([self.image, disk], FIRST, LIMIT, MORE * first if first else MOST)
        kept = {"processor": each.took, "by": machine.Machine.accel, "status": None}
        if out is None:
            kept["out"] = f"not done in {LIMIT} seconds, {each.took:.0f} of processor time"
        else:
            kept["out"], _, status = out.rpartition("exit status ")
            if status.strip().isdigit():
                kept["status"] = int(status)
            else:
                kept["out"] = f"it ended before its script did: {out}"
        if kept["status"] is None:
            kept["out"] += f"; its console:\n{console[-3000:]}"
        return kept

    def make_disk(self, disk, script, library, settings, files):
        """What is unpacked over the image before init starts."""
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

    def kept_in(self, library=True, settings=""):
        name = re.sub(r"[^\w=]+", "-", settings or "default") if library else "without"
        return os.path.join(self.kept, name)

    def kept_of(self, library=True, settings=""):
        try:
            return json.loads(contents(self.kept_in(library, settings)))
        except FileNotFoundError:
            return {}

    def forget(self, library=True, settings=""):
        """The next run boots again."""
        if self.kept_of(library, settings):
            os.unlink(self.kept_in(library, settings))


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
