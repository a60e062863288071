# SPDX-License-Identifier: MIT
"""A virtual machine for a test: a kernel, disks, and what the machine says on its serial ports.

    result, console = Machine(kernel).run(["root.ext4", "files.tar"], "root=/dev/nvme0n1", limit=120)

Debian's kernel for clouds has NVMe and ext4 built in: it needs no initrd. The disks stay as they are
(what the machine writes goes with it). The first serial port (ttyS0) is the console, the second
(ttyS1) is for results. Only qemu-system-x86_64 is needed, not root.

KVM, where it works, makes it ten times as fast. That /dev/kvm can be opened says little (a machine
that is virtual itself may have one that runs no guest), so it is tried: a guest that has not said a
word in KVM_TRIAL seconds is ended, and emulated from then on. WSRX_TEST_ACCEL names one: kvm, or tcg.

An emulated machine may have a clock of its own, which counts its instructions: however busy the host
is, nothing in the guest runs into a limit of time, and what the guest measures does not go by chance.
While the guest sleeps, that clock goes on as the host's does.
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
OWN_CLOCK = ["-icount", "shift=1", "-rtc", "clock=vm"]  # an instruction takes 2 ns
LOOK = 0.2  # seconds between two looks at a machine that runs


def missing():
    """Why no machine can be run here, or None."""
    if platform.machine() != "x86_64":
        return "machines are made for x86-64 only"
    if not shutil.which(QEMU):
        return f"no {QEMU}"
    return None


class Machine:
    accel = os.environ.get("WSRX_TEST_ACCEL")  # that works; None: not known yet

    def __init__(self, kernel, memory=512, initrd=None, own_clock=False):
        self.kernel, self.memory, self.initrd = kernel, memory, initrd
        self.own_clock = own_clock
        self.took = 0  # seconds of processor time that the last run took

    def run(self, disks, append, limit, most=None):
        """What it wrote to ttyS1, and its console. The first is None if the machine was not done in
        `limit` seconds, or in `most` seconds of processor time."""
        if Machine.accel is None:
            Machine.accel = "kvm" if self.kvm_works() else "tcg"
        with tempfile.TemporaryDirectory(prefix="wsrx-machine-") as directory:
            machine = self.start(Machine.accel, disks, append, directory)
            try:
                done = self.wait(machine, time.monotonic() + limit, most)
            finally:
                machine.kill()
                machine.wait()
            console, result = read(directory, "console"), read(directory, "result")
            return (result if done else None), console

    def wait(self, machine, end, most):
        """Whether it ends by itself in time."""
        while machine.poll() is None:
            self.took = processor_time(machine.pid)
            if time.monotonic() > end or most and self.took > most:
                return False
            time.sleep(LOOK)
        return True

    def start(self, accel, disks, append, directory):
        command = [QEMU, *OPTIONS, "-accel", accel, "-cpu", CPU[accel],
                   "-m", str(self.memory), "-kernel", self.kernel,
                   "-append", APPEND + " " + append]
        for port in "console", "result":
            command += ["-serial", "file:" + os.path.join(directory, port)]
        for number, disk in enumerate(disks):
            command += ["-drive", f"file={disk},format=raw,if=none,id=disk{number}",
                        "-device", f"nvme,drive=disk{number},serial={number}"]
        if self.own_clock and accel == "tcg":
            command += OWN_CLOCK
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


def processor_time(pid):
    """Of a process of ours that has not been waited for."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read(directory, name):
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return file.read().decode("utf-8", "backslashreplace").replace("\r", "")
    except FileNotFoundError:
        return ""
