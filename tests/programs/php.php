<?php
// Prints a page of 127.0.0.1:8080, got by curl and by a socket, and the data directory of the database on 5432.
$curl = curl_init('http://127.0.0.1:8080/');
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
echo 'curl: ', strtok(curl_exec($curl) ?: curl_error($curl), " \n"), "\n";

$socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_connect($socket, '127.0.0.1', 8080);
socket_write($socket, "GET / HTTP/1.0\r\n\r\n");
for ($page = ''; ($piece = socket_read($socket, 4096)) != ''; $page .= $piece);
echo 'socket: ', strtok(substr(strstr($page, "\r\n\r\n"), 4), ' '), "\n";
socket_getpeername($socket, $address, $port);
echo "peer: $address $port\n";

$database = pg_connect('host=127.0.0.1 port=5432 user=postgres dbname=postgres');
echo 'pgsql: ', basename(pg_fetch_result(pg_query($database, 'show data_directory'), 0)), "\n";
