# SPDX-License-Identifier: MIT
"""What the tests on the kernel run in: a virtual machine with Debian's own kernel, in which the host's
files are the guest's, read-only.

It is emulated, so that it needs no rights and runs inside other virtual machines as well; it boots
in some seconds. The guest's first process is guest-init; what it runs writes to a serial port.
"""

import glob
import gzip
import lzma
import os
import shutil
import subprocess
import tempfile
import threading
import time

LIMIT = 400  # seconds

# In the order in which they need each other.
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "fuse", "virtiofs", "vsock", "vmw_vsock_virtio_transport_common", "vsock_loopback")


class Missing(Exception):
    """Why there can be no guest here."""


def find(*paths):
    for path in paths:
        found = shutil.which(path) or (path if os.path.isfile(path) else None)
        if found:
            return found
    raise Missing(f"no {os.path.basename(paths[0])}")


def archive(files):
    """A cpio archive for the kernel: (name, mode, bytes)."""
    made = b""
    for number, (name, mode, data) in enumerate((*files, ("TRAILER!!!", 0, b"")), 1):
        name = name.encode() + b"\0"
        head = b"070701" + b"".join(b"%08x" % value for value in (
            number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)) + name
        made += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return made


class Guest:
    """A kernel (the directory of get-guest) with a first process. If `counts`, its clock counts its
    instructions, and one takes 2 ns."""

    def __init__(self, directory, init, counts=False):
        self.processor = ["-accel", "tcg,thread=multi", "-smp", "2"]
        if counts:
            self.processor = ["-accel", "tcg,thread=single", "-icount", "shift=1", "-rtc",
                              "clock=vm", "-smp", "1"]
        self.kernel = (glob.glob(os.path.join(directory, "boot", "vmlinuz-*")) or [None])[0]
        if not self.kernel:
            raise Missing("no kernel for a guest: scripts/test gets one")
        if os.uname().machine != "x86_64":
            raise Missing("the guest is an x86-64")
        self.qemu = find("qemu-system-x86_64")
        self.virtiofsd = find("virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")
        if os.geteuid() != 0:
            raise Missing("only root can share all files with a guest")
        self.modules, = glob.glob(os.path.join(directory, "**", "lib", "modules"), recursive=True)
        self.init = init
        self.directory = tempfile.mkdtemp(prefix="wsrx-guest-")

    def path(self, name):
        return os.path.join(self.directory, name)

    def make_initramfs(self, command):
        files = [("dev", 0o40755, b""), ("modules", 0o40755, b""),
                 ("command", 0o100644, "\t".join(command).encode() + b"\n")]
        with open(self.init, "rb") as file:
            files.append(("init", 0o100755, file.read()))
        count = 0
        for name in MODULES:
            found = glob.glob(f"{self.modules}/*/**/{name}.ko*", recursive=True)
            if not found: # it is built in
                continue
            with (lzma.open if found[0].endswith(".xz") else open)(found[0], "rb") as file:
                files.append((f"modules/{count:02}.ko", 0o100644, file.read()))
            count += 1
        with open(self.path("initramfs"), "wb") as file:
            file.write(gzip.compress(archive(files), 1))

    def start(self, command):
        self.make_initramfs(command)
        socket = self.path("files")
        with open(self.path("log"), "wb") as log:
            self.files = subprocess.Popen(
                [self.virtiofsd, f"--socket-path={socket}", "-o",
                 "source=/,cache=always,sandbox=chroot"], stdout=log, stderr=log)
            deadline = time.monotonic() + 10
            while not os.path.exists(socket) and time.monotonic() < deadline:
                time.sleep(0.02)
            return subprocess.Popen(
                [self.qemu, *self.processor, "-cpu", "max", "-m", "768M",
                 "-machine", "q35,memory-backend=memory", "-object",
                 "memory-backend-memfd,id=memory,size=768M,share=on", "-nodefaults", "-no-reboot",
                 "-display", "none", "-kernel", self.kernel, "-initrd", self.path("initramfs"),
                 "-append", "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off",
                 "-chardev", f"socket,id=files,path={socket}", "-device",
                 "vhost-user-fs-pci,chardev=files,tag=root", "-serial",
                 f"file:{self.path('console')}", "-serial", "stdio"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)

    def run(self, command, take):
        """Gives each line that the command prints to take(). False: it did not come to its end."""
        process = self.start(command)
        watch = threading.Timer(LIMIT, process.kill)
        watch.start()
        try:
            for line in process.stdout:
                take(line.decode("utf-8", "replace").rstrip("\r\n"))
            return process.wait() == 0
        finally:
            watch.cancel()
            for one in (process, self.files):
                one.kill()
                one.wait()

    def said(self):
        """What may tell why."""
        text = ""
        for name in ("console", "log"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    text += file.read()
            except OSError:
                pass
        return text

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
