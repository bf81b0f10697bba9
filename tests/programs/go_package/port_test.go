// A package whose test starts its server at a port that is written here, and asks it.
package port

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

const address = "127.0.0.1:8080"

func TestServer(test *testing.T) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		test.Fatal(err)
	}
	defer listener.Close()
	if listener.Addr().String() != address {
		test.Errorf("listens at %v", listener.Addr())
	}
	own := fmt.Sprint(time.Now().UnixNano())
	go http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		io.WriteString(answer, own)
	}))
	for i := 0; i < 20; i++ {
		answer, err := http.Get("http://" + address + "/")
		if err != nil {
			test.Fatal(err)
		}
		bytes, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(bytes) != own {
			test.Fatalf("%q instead of %q: %v", bytes, own, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
