// A node suite as people write it: servers and clients that agree on port numbers.
// pairs_node.js NAME: its servers answer with NAME, by which it recognizes them.
const assert = require('assert')
const dgram = require('dgram')
const http = require('http')
const http2 = require('http2')
const net = require('net')
const { once } = require('events')

const name = process.argv[2]
const rounds = 50

async function text (stream) {
  let all = ''
  for await (const part of stream.setEncoding('utf8')) all += part
  return all
}

async function listening (server, ...where) {
  server.listen(...where)
  await once(server, 'listening')
  return server
}

async function testNet () {
  const server = await listening(net.createServer((socket) => socket.end(name)), 9000)
  assert.strictEqual(server.address().port, 9000)
  for (const host of ['localhost', '127.0.0.1', '::1']) {
    await Promise.all(Array.from({ length: rounds }, async () => {
      const client = net.connect(9000, host)
      await once(client, 'connect')
      assert.strictEqual(client.remotePort, 9000)
      assert.strictEqual(await text(client), name)
    }))
  }
  server.close()
}

// Sends to 9000 as fast as it can; must get as many answers.
async function testDgram (type, host, connected) {
  const server = dgram.createSocket(type)
  server.on('message', (message, from) => server.send(`${name} ${message}`, from.port, from.address))
  server.bind(9000)
  await once(server, 'listening')
  assert.strictEqual(server.address().port, 9000)
  const client = dgram.createSocket(type)
  if (connected) {
    client.connect(9000, host)
    await once(client, 'connect')
    assert.strictEqual(client.remoteAddress().port, 9000)
  }
  const heard = new Set()
  const all = new Promise((resolve) => client.on('message', (message, from) => {
    assert.strictEqual(from.port, 9000)
    heard.add(message.toString())
    if (heard.size === rounds) resolve()
  }))
  const expected = []
  for (let i = 0; i < rounds; i++) {
    if (connected) client.send(`${i}`)
    else client.send(`${i}`, 9000, host)
    expected.push(`${name} ${i}`)
  }
  await all
  assert.deepStrictEqual([...heard].sort(), expected.sort())
  client.close()
  server.close()
}

async function testHttp () {
  const server = await listening(http.createServer((request, response) => response.end(name)), 9001)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  await Promise.all(Array.from({ length: rounds }, async () => {
    const [response] = await once(http.get({ agent, port: 9001, host: 'localhost' }), 'response')
    assert.strictEqual(await text(response), name)
  }))
  agent.destroy()
  server.close()
}

async function testHttp2 () {
  const server = http2.createServer()
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 })
    stream.end(name)
  })
  await listening(server, 9002, '127.0.0.1')
  const client = http2.connect('http://127.0.0.1:9002')
  await Promise.all(Array.from({ length: rounds }, async () => {
    assert.strictEqual(await text(client.request({ ':path': '/' })), name)
  }))
  client.close()
  server.close()
}

async function main () {
  await testNet()
  for (const [type, host] of [['udp4', '127.0.0.1'], ['udp6', '::1']]) {
    await testDgram(type, host, false)
    await testDgram(type, host, true)
  }
  await testHttp()
  await testHttp2()
  console.log('passed')
}

process.on('unhandledRejection', (error) => { throw error })
main()
