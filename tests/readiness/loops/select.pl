# SPDX-License-Identifier: MIT
# IO::Select and IO::Socket: one receive of 700 bytes an event from stdin, copied to stdout.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

$| = 1;
my $udp = IO::Socket::INET->new_from_fd(0, '+<') or die $!;
$udp->blocking(0);
my $select = IO::Select->new($udp);
while ($select->can_read()) {
    my $part;
    defined($ARGV[0] eq 'recv' ? $udp->recv($part, 700) : sysread($udp, $part, 700))
        or die "told of nothing: $!";
    last if $part eq 'end';
    print $part;
}
