# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# bubblewrap, as root and as a user: another root, every namespace, no right to anything.
# also: WSRX_CALLS=all WSRX_HOLD=kernel
useradd -m user
cat >/srv/datagram.py <<'END'
import os, socket
s, c = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
s.bind(("127.0.0.1", 0))
for _ in range(3):
    c.sendto(b"x" * 3000, s.getsockname())
    print(len(s.recv(65536)), flush=True)
if os.fork() == 0:
    c.sendto(b"x" * 3000, s.getsockname())
    print(len(s.recv(65536)), flush=True)
    os._exit(0)
print(os.wait()[1])
END
for who in root user; do
    su $who -c 'bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp sh -c "
        id -u; echo x >/tmp/y; cat /tmp/y; exec ls /proc | grep ^[0-9]"; echo $?'
    su $who -c 'bwrap --unshare-user --unshare-net --unshare-pid --ro-bind / / --new-session \
        --die-with-parent --cap-drop ALL python3 /srv/datagram.py; echo $?'
    # There the library is not, and the loader says so: the run is the same otherwise.
    su $who -c 'bwrap --unshare-user --ro-bind /usr /usr --symlink usr/bin /bin \
        --symlink usr/lib64 /lib64 --symlink usr/lib /lib --ro-bind /srv /srv \
        python3 /srv/datagram.py; echo $?'
done
