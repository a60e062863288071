# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Languages with threads, heaps and system calls of their own receive datagrams and start programs.
# needs: ghc golang-go rustc gcc libc6-dev r-base-core sbcl guile-3.0 luajit emacs-nox erlang-base ruby php-cli socat
# also: WSRX_CALLS=all WSRX_HOLD=kernel WSRX_TRACE=text WSRX_TRACE_FILE=/srv/trace/%p.txt
cd /tmp || exit
cat >haskell.hs <<'END'
import Control.Concurrent
import System.Process
main = do
  box <- newEmptyMVar
  mapM_ (\i -> forkIO (threadDelay (1000 * i) >> putMVar box i)) [1 .. 50]
  numbers <- mapM (\_ -> takeMVar box) [1 .. 50]
  print (sum numbers)
  readProcess "echo" ["from ghc"] "" >>= putStr
END
ghc -v0 -threaded haskell.hs
./haskell
cat >go.go <<'END'
package main

/*
#include <sys/socket.h>
static int pair(void)
{
	int ends[2];
	char bytes[6];
	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	send(ends[0], "abcdef", 6, 0);
	return recv(ends[1], bytes, 6, 0);
}
*/
import "C"
import (
	"fmt"
	"net"
	"os/exec"
	"sync"
)

func main() {
	fmt.Println(C.pair())
	server, _ := net.ListenPacket("udp", "127.0.0.1:0")
	client, _ := net.Dial("udp", server.LocalAddr().String())
	client.Write(make([]byte, 700))
	length, _, _ := server.ReadFrom(make([]byte, 1000))
	fmt.Println(length)
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func() { defer all.Done(); C.pair() }()
	}
	all.Wait()
	out, err := exec.Command("echo", "from go").Output()
	fmt.Print(string(out), err, "\n")
}
END
HOME=/tmp go build -o go go.go
./go
cat >rust.rs <<'END'
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread;
fn main() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(&[1u8; 600], server.local_addr().unwrap()).unwrap();
    println!("{}", server.recv(&mut [0u8; 1000]).unwrap());
    let (one, other) = UnixDatagram::pair().unwrap();
    let reader = thread::spawn(move || other.recv(&mut [0u8; 10]).unwrap());
    one.send(b"hello").unwrap();
    println!("{}", reader.join().unwrap());
    let out = Command::new("echo").arg("from rust").output().unwrap().stdout;
    print!("{}", String::from_utf8(out).unwrap());
}
END
rustc -O rust.rs
./rust
Rscript -e 'print(system("echo from R", intern = TRUE))' \
    -e 'print(sum(unlist(parallel::mclapply(1:4, function(i) i^2, mc.cores = 2))))'
sbcl --noinform --non-interactive --eval '(require :sb-bsd-sockets)' --eval '
    (let ((server (make-instance (quote sb-bsd-sockets:inet-socket) :type :datagram :protocol :udp))
          (client (make-instance (quote sb-bsd-sockets:inet-socket) :type :datagram :protocol :udp)))
      (sb-bsd-sockets:socket-bind server #(127 0 0 1) 0)
      (multiple-value-bind (address port) (sb-bsd-sockets:socket-name server)
        (sb-bsd-sockets:socket-connect client address port))
      (dotimes (i 20) (sb-ext:gc :full (= 0 (mod i 10))) (make-array 1000000))
      (sb-bsd-sockets:socket-send client (make-string 300 :initial-element #\x) 300)
      (print (nth-value 1 (sb-bsd-sockets:socket-receive server nil 1000))))' 2>&1 | tail -n 1
echo
emacs -Q --batch --eval '
    (let* ((got nil)
           (server (make-network-process :name "s" :type (quote datagram) :server t :service t
                    :host "127.0.0.1" :family (quote ipv4)
                    :filter (lambda (process text) (setq got text))))
           (client (make-network-process :name "c" :type (quote datagram) :host "127.0.0.1"
                    :service (aref (process-contact server :local) 4) :family (quote ipv4))))
      (process-send-string client "hello\n")
      (while (not got) (accept-process-output nil 0.1))
      (princ got)
      (princ (shell-command-to-string "echo from emacs")))'
guile --no-auto-compile -c '
    (use-modules (rnrs bytevectors))
    (let ((server (socket PF_INET SOCK_DGRAM 0)) (client (socket PF_INET SOCK_DGRAM 0)))
      (bind server AF_INET INADDR_LOOPBACK 5999)
      (sendto client (string->utf8 "guile") AF_INET INADDR_LOOPBACK 5999)
      (display (car (recvfrom! server (make-bytevector 1000))))
      (newline))' 2>/dev/null
luajit -e '
    local ffi = require "ffi"
    ffi.cdef "int socketpair(int, int, int, int *); long send(int, const void *, size_t, int);"
    ffi.cdef "long recv(int, void *, size_t, int);"
    local ends = ffi.new "int[2]"
    ffi.C.socketpair(1, 2, 0, ends)
    ffi.C.send(ends[0], "abcdef", 6, 0)
    print(tonumber(ffi.C.recv(ends[1], ffi.new "char[6]", 6, 0)))'
erl -noshell -eval '
    {ok, Server} = gen_udp:open(0, [binary, {active, false}, {recbuf, 100000}]),
    {ok, Port} = inet:port(Server),
    {ok, Client} = gen_udp:open(0, []),
    ok = gen_udp:send(Client, {127, 0, 0, 1}, Port, binary:copy(<<"x">>, 5000)),
    {ok, {_, _, Data}} = gen_udp:recv(Server, 0, 20000),
    io:format("~p~n", [byte_size(Data)]),
    halt().'
ruby -rsocket -e '
    server = UDPSocket.new
    server.bind("127.0.0.1", 0)
    client = UDPSocket.new
    client.connect("127.0.0.1", server.addr[1])
    client.send("x" * 500, 0)
    p server.recvfrom(1000)[0].size
    one, other = UNIXSocket.pair(:DGRAM)
    Thread.new { sleep 0.1; one.send("later", 0) }
    p other.recv(10)
    p other.recv_nonblock(10, exception: false)'
# shellcheck disable=SC2016 # PHP's own
php -r '
    $server = socket_create(AF_INET, SOCK_DGRAM, 0);
    socket_bind($server, "127.0.0.1", 0);
    socket_getsockname($server, $address, $port);
    $client = stream_socket_client("udp://127.0.0.1:$port");
    fwrite($client, str_repeat("x", 300));
    echo socket_recv($server, $data, 1000, 0), "\n";'
socat -u UDP4-RECV:9999,bind=127.0.0.1 OPEN:/tmp/socat,creat &
until_true grep -q ':270F' /proc/net/udp
head -c 3000 /dev/zero | socat -b 1000 -u - UDP4-SENDTO:127.0.0.1:9999
until_true sh -c 'find /tmp/socat -size 3000c | grep -q .'
stat -c %s /tmp/socat
