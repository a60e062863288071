// SPDX-License-Identifier: MIT

// A server in Go: prints its port, and the length of each message that it gets.
package main

import (
	"fmt"
	"net"
)

func main() {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(conn.LocalAddr().(*net.UDPAddr).Port)
	buffer := make([]byte, 1000)
	for {
		length, _, err := conn.ReadFrom(buffer)
		fmt.Println(length, err)
	}
}
