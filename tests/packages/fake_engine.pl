#!/usr/bin/perl
# Docker's API as far as the agent asks it, for a machine that has nothing but Debian's minimal perl: one running container.
use strict;
use warnings;
use IO::Socket::UNIX;

my $id   = 'ab' x 32;
my $path = '/run/docker.sock';
my %answers = (
    '/_ping'           => 'OK',
    '/version'         => '{"Version":"24.0.7","ApiVersion":"1.43"}',
    '/containers/json' => qq([{"Id":"$id","Names":["/web"],"Image":"nginx","State":"running","Status":"Up 5 minutes"}]),
    "/containers/$id/json" => qq({"Id":"$id","Name":"/web","RestartCount":3,"Config":{"Image":"nginx","Env":["PASSWORD=hunter2"]},)
        . q("State":{"Status":"running","Pid":1,"StartedAt":"2026-11-30T10:00:00Z"}}),
);

$SIG{CHLD} = 'IGNORE';
unlink $path;
umask 0117;
my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 16) or die "$path: $!";
chown 0, scalar getgrnam('docker'), $path;
while (1) {
    my $peer = $listener->accept or next;
    next if fork;
    my ($target) = split /\?/, (split / /, <$peer>)[1];
    $target =~ s{^/v[\d.]+}{};
    if ($target eq '/events') {
        print $peer "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        $peer->flush;
        sleep;
    }
    my $body   = $answers{$target} // '{}';
    my $status = exists $answers{$target} ? 200 : 404;
    printf $peer "HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", $status, length $body, $body;
    exit;
}
