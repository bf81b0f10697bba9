// cgo_ports PORT [COMMAND]: a Go program with C in it. Go listens on 127.0.0.1:PORT and C binds a datagram socket to it;
// prints the ports that both see. Then C starts the command with an empty environment.
package main

/*
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int bind_in_c(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -1;
	return ntohs(address.sin_port);
}

static int start_in_c(const char *path, const char *argument)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		execle(path, path, argument, NULL, (char *[]){NULL});
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}
*/
import "C"

import (
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("go:", listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	fmt.Println("c:", C.bind_in_c(C.int(port)))
	if len(os.Args) > 2 {
		fmt.Println("started:", C.start_in_c(C.CString(os.Args[2]), C.CString(os.Args[1])))
	}
}
