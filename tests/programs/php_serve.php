<?php
// A server on 8080 by PHP's sockets, which answers with one word.
$server = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_bind($server, '127.0.0.1', 8080) or exit(1);
socket_listen($server);
socket_getsockname($server, $address, $port);
while ($client = socket_accept($server)) {
    socket_write($client, "$argv[1] $port\n");
    socket_close($client);
}
