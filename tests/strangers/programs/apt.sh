# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# apt and dpkg: a repository on loopback, fetched as _apt and under apt's own filter.
mkdir -p /srv/repo/tree/DEBIAN /srv/repo/tree/usr/bin
cd /srv/repo || exit
cat >tree/DEBIAN/control <<'END'
Package: stranger
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@localhost>
Depends: bash
Description: greets
END
printf '#!/bin/sh\nset -e\nid -un\necho "$1"\n' >tree/DEBIAN/postinst
printf '#!/bin/sh\necho hello\n' >tree/usr/bin/stranger
chmod 755 tree/DEBIAN/postinst tree/usr/bin/stranger
dpkg-deb -Zgzip --build tree stranger.deb
{
    cat tree/DEBIAN/control
    echo "Filename: ./stranger.deb"
    echo "Size: $(stat -c %s stranger.deb)"
    echo "SHA256: $(sha256sum <stranger.deb | cut -d' ' -f1)"
} >Packages
python3 -m http.server 8000 --bind 127.0.0.1 >/tmp/http.log 2>&1 &
wait_port 8000
rm -rf /etc/apt/sources.list* /var/lib/apt/lists/*
echo 'deb [trusted=yes] http://127.0.0.1:8000/ ./' >/etc/apt/sources.list
echo 'APT::Sandbox::Seccomp "true"; Acquire::Languages "none";' >/etc/apt/apt.conf.d/50filter

# plain: without how long it took, how much it was, and how far it has come.
plain() {
    tr '\r' '\n' | sed 's/ *[0-9,]* B in .*//; s/ *\[[0-9,]* k*B\]//; /%/d; s/Need to get .*//' |
        sort
}
apt-get -q update 2>&1 | plain
apt-cache policy stranger
apt-get -q -y install stranger 2>&1 | plain
stranger
dpkg -s stranger
dpkg -V stranger
dpkg -L stranger
apt-get -q -y purge stranger 2>&1 | plain
dpkg --audit
echo "audit: $?"
