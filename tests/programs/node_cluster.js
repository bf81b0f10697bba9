// A node cluster as its users write it: the primary binds, the workers listen and answer.
// node_cluster.js NAME rr|none: TCP at 9000, UDP at 9001. The answer is "NAME PID PORT", the port as the worker sees it.
// At 9002, a worker asks 9000 as a client and passes the answer on.
const cluster = require('cluster')
const dgram = require('dgram')
const net = require('net')

const [name, policy] = process.argv.slice(2)
cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE

if (cluster.isPrimary) {
  cluster.fork()
  cluster.fork()
  cluster.on('exit', () => cluster.fork())
} else {
  const server = net.createServer((socket) => {
    socket.end(`${name} ${process.pid} ${server.address().port} ${socket.localPort}\n`)
  })
  server.listen(9000)

  const datagrams = dgram.createSocket('udp4')
  datagrams.on('message', (_, from) => {
    datagrams.send(`${name} ${process.pid} ${datagrams.address().port}\n`, from.port, from.address)
  })
  datagrams.bind(9001)

  net.createServer((socket) => net.connect(9000, '127.0.0.1').pipe(socket)).listen(9002)
}
