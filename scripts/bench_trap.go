// For scripts/bench-trap: an HTTP server, a client that prints the microseconds of each request, and a program
// that ends at once. They use the standard library alone.
//
//	bench_trap serve PORT
//	bench_trap keep|close PORT REQUESTS
//	bench_trap
//
// "keep" sends all requests of a worker over one connection, "close" each over a connection of its own.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

const workers = 8

func serve(address string) {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	log.Fatal(http.ListenAndServe(address, nil))
}

// Closes with a reset, which leaves no port in TIME_WAIT: a long loop would use up the host's ports.
func dial(context context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(context, network, address)
	if err == nil {
		err = connection.(*net.TCPConn).SetLinger(0)
	}
	return connection, err
}

func request(client *http.Client, url string) {
	response, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
}

func measure(url string, requests int, close bool) time.Duration {
	client := &http.Client{Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: close, MaxIdleConnsPerHost: workers}}
	var all sync.WaitGroup
	begin := time.Now()
	for i := 0; i < workers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := 0; n < requests/workers; n++ {
				request(client, url)
			}
		}()
	}
	all.Wait()
	return time.Since(begin)
}

func main() {
	if len(os.Args) < 3 {
		return
	}
	address := "127.0.0.1:" + os.Args[2]
	if os.Args[1] == "serve" {
		serve(address)
	}
	requests, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	url := "http://" + address + "/"
	measure(url, requests/10, os.Args[1] == "close")
	took := measure(url, requests, os.Args[1] == "close")
	fmt.Printf("%.2f\n", float64(took.Microseconds())/float64(requests))
}
