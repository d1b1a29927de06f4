/**
 * The mesh's network on Node: UDP and TCP sockets, multicast, names. Addresses go to the system as
 * literals only; the one place that asks a resolver is `resolve`. Sockets of IPv6 that are bound to
 * `::` carry IPv4 too; the mesh sees plain IPv4 addresses either way.
 *
 * A datagram is handed to the system within the call (libuv tries at once), without a callback,
 * which saves a tick each; errors of the path then count as loss, as they must.
 */
import { createSocket, type Socket as DatagramSocket, type SocketType } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { createServer, isIP, connect as connectSocket } from 'node:net'
import { WarpError } from '../../../src/index.ts'
import { addressOf } from '../contacts/contact.ts'
import type { DatagramPort, Endpoint, MeshNetwork, MulticastPort, OnDatagram, StreamListener } from './network.ts'
import { nodeStream, plainHost } from './node-stream.ts'

/** What a burst of 4 MiB of datagrams needs; the system may grant less. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
const BACKLOG = 128
const MULTICAST_TTL = 1

export interface NodeNetworkOptions {
  /** No socket keeps the process alive by itself. Default `false`: each does until it is closed. */
  readonly unref?: boolean
}

interface Unreferenced {
  unref(): unknown
}

export function nodeNetwork({ unref = false }: NodeNetworkOptions = {}): MeshNetwork {
  const letGo = (socket: Unreferenced): void => {
    if (unref) socket.unref()
  }
  return {
    resolve,
    bind: (local, onDatagram) => bind(local, onDatagram, letGo),
    joinMulticast: (group, on, onDatagram) => joinMulticast({ group, on }, onDatagram, letGo),
    listen: (local, accept) => listen(local, accept, letGo),
    connect: (to, from, handlers) => connect({ to, from }, handlers, letGo),
  }
}

type LetGo = (socket: Unreferenced) => void

async function bind(local: Endpoint, onDatagram: OnDatagram, letGo: LetGo): Promise<DatagramPort> {
  const socket = createSocket({ type: typeOf(local.host), lookup: literal })
  await bound(socket, { port: local.port, address: local.host, exclusive: true }, local)
  letGo(socket)
  enlarge(socket)
  socket.on('message', (bytes, from) => onDatagram({ host: plainHost(from.address), port: from.port }, bytes))
  return datagramPort(socket, local.host)
}

function enlarge(socket: DatagramSocket): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES)
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES)
  } catch {
    // The system grants less: bursts lose a little more, which is repaired.
  }
}

function datagramPort(socket: DatagramSocket, host: string): DatagramPort {
  const isIpv6 = typeOf(host) === 'udp6'
  const multicast = multicastSender(socket, host)
  let isOpen = true
  // Deno does not say how much waits to be sent: there we count.
  const isCounted = typeof (socket as Partial<DatagramSocket>).getSendQueueSize !== 'function'
  let waitingBytes = 0
  return {
    local: { host, port: socket.address().port },
    get queuedBytes() {
      if (isCounted) return waitingBytes
      return isOpen ? socket.getSendQueueSize() : 0
    },
    send: (to, bytes) => {
      // An address of the other family cannot be reached from here: loss, like any other
      // unreachable one.
      if (!isOpen || (!isIpv6 && to.host.includes(':'))) return
      const target = isIpv6 && !to.host.includes(':') ? `::ffff:${to.host}` : to.host
      if (!isCounted) {
        socket.send(bytes, 0, bytes.length, to.port, target)
        return
      }
      waitingBytes += bytes.length
      socket.send(bytes, 0, bytes.length, to.port, target, () => (waitingBytes -= bytes.length))
    },
    sendMulticast: (group, bytes) => {
      if (isOpen) multicast(group, bytes)
    },
    close: () => {
      if (!isOpen) return Promise.resolve()
      isOpen = false
      return new Promise((resolve) => socket.close(resolve))
    },
  }
}

/** The system tells of some failures later: the next call throws them. */
function multicastSender(socket: DatagramSocket, host: string): (group: Endpoint, bytes: Uint8Array) => void {
  let isPrepared = false
  let failure: Error | undefined
  return (group, bytes) => {
    if (!isPrepared) {
      socket.setMulticastTTL(MULTICAST_TTL)
      socket.setMulticastLoopback(true)
      if (!isWildcard(host)) socket.setMulticastInterface(host)
      isPrepared = true
    }
    const before = failure
    failure = undefined
    if (before !== undefined) throw before
    socket.send(bytes, group.port, group.host, (error) => {
      failure = error ?? undefined
    })
  }
}

async function joinMulticast(
  { group, on }: { readonly group: Endpoint; readonly on: string },
  onDatagram: OnDatagram,
  letGo: LetGo,
): Promise<MulticastPort> {
  const socket = createSocket({ type: typeOf(group.host), reuseAddr: true, lookup: literal })
  // Bound to the group, the socket hears nothing else; Windows cannot do that.
  const address = process.platform === 'win32' ? on : group.host
  await bound(socket, { port: group.port, address }, group)
  letGo(socket)
  try {
    if (isWildcard(on)) socket.addMembership(group.host)
    else socket.addMembership(group.host, on)
  } catch (cause) {
    socket.close()
    throw refused(`mesh: the multicast group ${addressOf(group)} cannot be joined on ${on}`, cause)
  }
  socket.on('message', (bytes, from) => onDatagram({ host: plainHost(from.address), port: from.port }, bytes))
  return { close: () => new Promise((resolve) => socket.close(resolve)) }
}

function bound(
  socket: DatagramSocket,
  options: { readonly port: number; readonly address: string; readonly exclusive?: boolean },
  local: Endpoint,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close()
      reject(bindError('UDP', local, error))
    })
    socket.bind(options, () => {
      socket.removeAllListeners('error')
      // What the path tells of earlier datagrams: loss.
      socket.on('error', () => undefined)
      resolve()
    })
  })
}

function listen(local: Endpoint, accept: Parameters<MeshNetwork['listen']>[1], letGo: LetGo): Promise<StreamListener> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    letGo(socket)
    const { stream, attach } = nodeStream(socket)
    const handlers = accept(stream)
    if (handlers === undefined) socket.destroy()
    else attach(handlers)
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(bindError('TCP', local, error)))
    server.listen({ host: local.host, port: local.port, backlog: BACKLOG, exclusive: true }, () => {
      server.removeAllListeners('error')
      letGo(server)
      // Out of file descriptors, say: the connection is lost, and the peer tries again.
      server.on('error', () => undefined)
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : local.port
      resolve({ local: { host: local.host, port }, close: () => new Promise((done) => server.close(() => done())) })
    })
  })
}

function connect(
  { to, from }: { readonly to: Endpoint; readonly from: string },
  handlers: Parameters<MeshNetwork['connect']>[2],
  letGo: LetGo,
): ReturnType<MeshNetwork['connect']> {
  // From the address that the peer knows us by.
  const localAddress = isWildcard(from) || isIP(from) !== isIP(to.host) ? {} : { localAddress: from }
  const socket = connectSocket({
    ...{ host: to.host, port: to.port, noDelay: true, allowHalfOpen: true, lookup: literal },
    ...localAddress,
  })
  letGo(socket)
  const { stream, attach } = nodeStream(socket, to)
  socket.once('connect', () => handlers.onOpen?.())
  attach(handlers)
  return stream
}

async function resolve(host: string): Promise<readonly string[]> {
  if (isIP(host.split('%', 1)[0] ?? '') !== 0) return [host]
  try {
    const found = await lookup(host, { all: true })
    return [...new Set(found.map(({ address }) => plainHost(address)))]
  } catch (cause) {
    throw refused(`mesh: the name ${host} has no address`, cause)
  }
}

/** For Node's sockets, which would otherwise ask a resolver for each datagram. */
function literal(
  host: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, host, isIP(host))
}

function typeOf(host: string): SocketType {
  return host.includes(':') ? 'udp6' : 'udp4'
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function bindError(protocol: 'UDP' | 'TCP', local: Endpoint, cause: NodeJS.ErrnoException): WarpError {
  const what = `mesh: ${protocol} port ${local.port} of ${local.host}`
  if (cause.code === 'EADDRINUSE') {
    return refused(`${what} is taken by another process; stop it, or choose another port (0 takes any)`, cause)
  }
  if (cause.code === 'EADDRNOTAVAIL') return refused(`mesh: ${local.host} is no address of this machine`, cause)
  if (cause.code === 'EACCES') return refused(`${what} may not be used by this process; choose one above 1023`, cause)
  return refused(`${what} cannot be used (${cause.code ?? cause.message})`, cause)
}

function refused(message: string, cause: unknown): WarpError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  return new WarpError('WARP_E_TRANSPORT', message, { cause, details: { cause: code } })
}
