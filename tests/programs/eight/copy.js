// copy(NAME, PORT): a server on the port, and a client that must reach this very server while all eight copies are there.
// Each copy says in the directory $ARRIVED that it has tried to bind.
'use strict';
const fs = require('fs');
const net = require('net');

const arrived = process.env.ARRIVED;

async function all() {
  for (const end = Date.now() + 120000; fs.readdirSync(arrived).length < 8; ) {
    if (Date.now() > end) {
      throw new Error('not all copies have come');
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

module.exports = async function (name, port) {
  const server = net.createServer((socket) => socket.end(name));
  const listening = new Promise((resolve, reject) => server.on('error', reject).listen(port, '127.0.0.1', resolve));
  try {
    await listening;
  } finally {
    fs.writeFileSync(`${arrived}/${name}`, '');
  }
  try {
    await all();
    let answer = '';
    for await (const part of net.connect(port, '127.0.0.1')) {
      answer += part;
    }
    if (answer !== name) {
      throw new Error(`${name} has reached ${answer}`);
    }
  } finally {
    server.close();
  }
};
