// go_client PORT OWN_PORT: asks a server over HTTP and UDP, in the ways that Go has, and prints the lines of ask.c.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"time"
)

var port, ownPort string

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func show(what string, from net.Addr, bytes string) {
	host, port, err := net.SplitHostPort(from.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s [%s]:%s %s", what, host, port, bytes)
}

func askStream(address string) {
	var peer net.Addr
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { peer = got.Conn.RemoteAddr() }}
	request := must(http.NewRequest("GET", "http://"+net.JoinHostPort(address, port)+"/", nil))
	request.Close = true
	answer := must(http.DefaultClient.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace))))
	show("tcp", peer, string(must(io.ReadAll(answer.Body))))
}

func bound(address string) net.PacketConn {
	socket := must(net.ListenPacket("udp", net.JoinHostPort(address, ownPort)))
	if err := socket.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		log.Fatal(err)
	}
	return socket
}

func serverAt(address string) *net.UDPAddr {
	return must(net.ResolveUDPAddr("udp", net.JoinHostPort(address, port)))
}

func askSendto(address string) {
	bytes := make([]byte, 1000)
	socket := bound(address)
	defer socket.Close()
	must(socket.WriteTo([]byte("x"), serverAt(address)))
	size, source, err := socket.ReadFrom(bytes)
	if err != nil {
		log.Fatal(err)
	}
	show("sendto", source, string(bytes[:size]))
}

func askSendmsg(address, what string, count int) {
	bytes := make([]byte, 1000)
	socket := bound(address).(*net.UDPConn)
	defer socket.Close()
	for i := 0; i < count; i++ {
		if _, _, err := socket.WriteMsgUDP([]byte("x"), nil, serverAt(address)); err != nil {
			log.Fatal(err)
		}
	}
	for i := 0; i < count; i++ {
		size, _, _, source, err := socket.ReadMsgUDP(bytes, nil)
		if err != nil {
			log.Fatal(err)
		}
		show(what, source, string(bytes[:size]))
	}
}

func askConnected(address string) {
	bytes := make([]byte, 1000)
	own := must(net.ResolveUDPAddr("udp", net.JoinHostPort(address, ownPort)))
	socket := must(net.DialUDP("udp", own, serverAt(address)))
	defer socket.Close()
	if err := socket.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		log.Fatal(err)
	}
	must(socket.Write([]byte("x")))
	size := must(socket.Read(bytes))
	show("connected", socket.RemoteAddr(), string(bytes[:size]))
}

func main() {
	port, ownPort = os.Args[1], os.Args[2]
	for _, address := range []string{"127.0.0.1", "::1"} {
		askStream(address)
		askSendto(address)
		askSendmsg(address, "sendmsg", 1)
		askSendmsg(address, "sendmmsg", 2)
		askConnected(address)
	}
}
