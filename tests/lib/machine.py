# SPDX-License-Identifier: MIT
"""A virtual machine for a test: a kernel, disks, and what the machine says on its serial ports.

    result, console = Machine(kernel).run(["root.ext4", "files.tar"], "root=/dev/nvme0n1", limit=120)

Debian's kernel for clouds has NVMe and ext4 built in: it needs no initrd. The disks stay as they are
(what the machine writes goes with it). The first serial port (ttyS0) is the console, the second
(ttyS1) is for results. Only qemu-system-x86_64 is needed, not root.

KVM, where it works, makes it ten times as fast. That /dev/kvm can be opened says little (a machine
that is virtual itself may have one that runs no guest), so it is tried: a guest that has not said a
word in KVM_TRIAL seconds is ended, and emulated from then on. WSRX_TEST_ACCEL names one: kvm, or tcg.
"""

import os
import platform
import shutil
import subprocess
import tempfile
import time

QEMU = "qemu-system-x86_64"
KVM_TRIAL = 8  # seconds
OPTIONS = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
           "-snapshot"]
# With -no-reboot, a panic is the end.
APPEND = "console=ttyS0 quiet panic=-1 mitigations=off"
# What is emulated is quicker without the wide registers of newer processors.
CPU = {"kvm": "host", "tcg": "Nehalem"}


def missing():
    """Why no machine can be run here, or None."""
    if platform.machine() != "x86_64":
        return "machines are made for x86-64 only"
    if not shutil.which(QEMU):
        return f"no {QEMU}"
    return None


class Machine:
    accel = os.environ.get("WSRX_TEST_ACCEL")  # that works; None: not known yet

    def __init__(self, kernel, memory=512, initrd=None):
        self.kernel, self.memory, self.initrd = kernel, memory, initrd

    def run(self, disks, append, limit):
        """What it wrote to ttyS1, or None if it was not done in `limit` seconds, and its console."""
        if Machine.accel is None:
            Machine.accel = "kvm" if self.kvm_works() else "tcg"
        with tempfile.TemporaryDirectory(prefix="wsrx-machine-") as directory:
            machine = self.start(Machine.accel, disks, append, directory)
            try:
                machine.wait(limit)
                done = True
            except subprocess.TimeoutExpired:
                done = False
            finally:
                machine.kill()
                machine.wait()
            console, result = read(directory, "console"), read(directory, "result")
            return (result if done else None), console

    def start(self, accel, disks, append, directory):
        command = [QEMU, *OPTIONS, "-accel", accel, "-cpu", CPU[accel],
                   "-m", str(self.memory), "-kernel", self.kernel,
                   "-append", APPEND + " " + append]
        for port in "console", "result":
            command += ["-serial", "file:" + os.path.join(directory, port)]
        for number, disk in enumerate(disks):
            command += ["-drive", f"file={disk},format=raw,if=none,id=disk{number}",
                        "-device", f"nvme,drive=disk{number},serial={number}"]
        if self.initrd:
            command += ["-initrd", self.initrd]
        with open(os.path.join(directory, "errors"), "wb") as errors:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)

    def kvm_works(self):
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            return False
        with tempfile.TemporaryDirectory(prefix="wsrx-machine-") as directory:
            # Without a root it panics: any line will do.
            machine = self.start("kvm", [], "earlyprintk=serial", directory)
            try:
                end = time.monotonic() + KVM_TRIAL
                while machine.poll() is None and time.monotonic() < end:
                    time.sleep(0.05)
                return "Linux version" in read(directory, "console")
            finally:
                machine.kill()
                machine.wait()


def read(directory, name):
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return file.read().decode("utf-8", "backslashreplace").replace("\r", "")
    except FileNotFoundError:
        return ""
