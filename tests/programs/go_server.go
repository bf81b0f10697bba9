// go_server NAME [PORT]: a server over HTTP and UDP, as tell.c. Its port, if none is named, is 8080.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func answerDatagrams(socket net.PacketConn, name string) {
	bytes := make([]byte, 1000)
	for {
		_, source, err := socket.ReadFrom(bytes)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := socket.WriteTo([]byte(fmt.Sprintf("%s to %v\n", name, source)), source); err != nil {
			log.Print(err)
		}
	}
}

func main() {
	name, address := os.Args[1], ":8080"
	if len(os.Args) > 2 {
		address = ":" + os.Args[2]
	}
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		log.Fatal(err)
	}
	go answerDatagrams(socket, name)
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(answer, "%s at %v\n", name, request.Context().Value(http.LocalAddrContextKey))
	})
	log.Fatal(http.ListenAndServe(address, nil))
}
