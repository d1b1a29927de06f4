/**
 * What Node's sockets do without a replica around them: a sender that packs prepared operations
 * into frames, a receiver that takes the frames apart by their lengths and counts them, and an
 * echo. The rivals of the mesh's benches.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { CreditSource, CreditWindow } from './support/credit.ts'
import { serve } from '../test/support/child-program.ts'
import { turn } from './support/users.ts'

const HOST = '127.0.0.1'
const FRAME_HEADER_BYTES = 4
/** As much as the mesh asks for, so that both lose as little. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
/** Datagrams sent before the event loop turns. */
const DATAGRAMS_PER_TURN = 16

interface Frames {
  readonly operations: number
  readonly operationBytes: number
  /** A frame holds as many operations as fit. */
  readonly frameBytesMax: number
}

const window = await CreditWindow.open()
let frameCount = 0
let awaited: { readonly frames: number; resolve(): void } | undefined
let credit: CreditSource | undefined
let stream: Socket | undefined
let datagrams: DatagramSocket | undefined

const verbs = {
  creditPort: () => window.port,

  /** Starts to count frames of a stream. */
  async countStream(): Promise<number> {
    const server = createServer((socket) => countFrames(socket)).listen(0, HOST)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  /** Starts to count datagrams, and tells the sender after every `every` of them. */
  async countDatagrams({ creditPort, every }: { creditPort: number; every: number }): Promise<number> {
    credit = await CreditSource.open(creditPort, every)
    const socket = createSocket({ type: 'udp4', recvBufferSize: SOCKET_BUFFER_BYTES })
    socket.on('message', () => {
      counted()
      credit?.reached(frameCount)
    })
    return bound(socket)
  },

  /** Starts to send back what arrives. */
  echo(): Promise<number> {
    const socket = createSocket('udp4')
    socket.on('message', (bytes, { address, port }) => socket.send(bytes, port, address))
    return bound(socket)
  },

  /** Resolves once so many frames have been counted since the start. */
  counted({ frames }: { frames: number }): Promise<void> {
    return new Promise((resolve) => {
      awaited = { frames, resolve }
      checkAwaited()
    })
  },

  async connectStream({ port }: { port: number }): Promise<void> {
    stream = connect(port, HOST).setNoDelay()
    await once(stream, 'connect')
  },

  async connectDatagrams({ port }: { port: number }): Promise<void> {
    datagrams = createSocket('udp4')
    datagrams.connect(port, HOST)
    await once(datagrams, 'connect')
  },

  /** Returns the number of frames. */
  async sendStream(frames: Frames): Promise<number> {
    const socket = stream as Socket
    const packer = new Packer(frames)
    for (let frame = packer.next(); frame !== undefined; frame = packer.next()) {
      if (!socket.write(frame)) await once(socket, 'drain')
    }
    return packer.count
  },

  /** Keeps at most `windowFrames` under way. Returns the number of datagrams. */
  async sendDatagrams(frames: Frames & { readonly windowFrames: number }): Promise<number> {
    const socket = datagrams as DatagramSocket
    const packer = new Packer(frames)
    const before = sentDatagrams
    for (let frame = packer.next(); frame !== undefined; frame = packer.next()) {
      socket.send(frame)
      sentDatagrams++
      if (packer.count % DATAGRAMS_PER_TURN !== 0) continue
      await turn()
      await window.until(sentDatagrams - frames.windowFrames)
    }
    return sentDatagrams - before
  },

  /** Round trips to an echo, in nanoseconds, one after another with pauses of `pauseMs`. */
  async roundTrips({ port, count, bytes, pauseMs }: RoundTrips): Promise<number[]> {
    const socket = createSocket('udp4')
    socket.connect(port, HOST)
    await once(socket, 'connect')
    const sent = Buffer.alloc(bytes)
    const taken: number[] = []
    for (let i = 0; i < count; i++) {
      if (pauseMs > 0) await pause(pauseMs)
      const startedAt = process.hrtime.bigint()
      const back = once(socket, 'message')
      socket.send(sent)
      await back
      taken.push(Number(process.hrtime.bigint() - startedAt))
    }
    socket.close()
    return taken
  },
}

interface RoundTrips {
  readonly port: number
  readonly count: number
  readonly bytes: number
  readonly pauseMs: number
}

/** What the bench may ask this program. */
export type BareProgram = typeof verbs

let sentDatagrams = 0

/** Packs prepared operations, each behind its length, into frames that begin with theirs. */
class Packer {
  readonly #prepared: readonly Uint8Array[]
  readonly #perFrame: number
  #left: number
  count = 0

  constructor({ operations, operationBytes, frameBytesMax }: Frames) {
    this.#prepared = Array.from({ length: 1024 }, (_, i) => new Uint8Array(operationBytes).fill(i))
    this.#perFrame = operationsPerFrame(operationBytes, frameBytesMax)
    this.#left = operations
  }

  next(): Uint8Array | undefined {
    const count = Math.min(this.#perFrame, this.#left)
    if (count === 0) return undefined
    const prepared = this.#prepared
    const operationBytes = (prepared[0] as Uint8Array).length
    const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + count * (2 + operationBytes))
    frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES)
    let at = FRAME_HEADER_BYTES
    for (let i = 0; i < count; i++) {
      at = frame.writeUInt16BE(operationBytes, at)
      frame.set(prepared[(this.#left - i) & 1023]!, at)
      at += operationBytes
    }
    this.#left -= count
    this.count++
    return frame
  }
}

function operationsPerFrame(operationBytes: number, frameBytesMax: number): number {
  return Math.floor((frameBytesMax - FRAME_HEADER_BYTES) / (operationBytes + 2))
}

async function bound(socket: DatagramSocket): Promise<number> {
  socket.bind(0, HOST)
  await once(socket, 'listening')
  return socket.address().port
}

/** Reads lengths and skips what they stand for. */
function countFrames(socket: Socket): void {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  let headerBytes = 0
  let left = 0
  socket.on('data', (bytes) => {
    let at = 0
    while (at < bytes.length) {
      if (left === 0) {
        header[headerBytes++] = bytes[at++]!
        if (headerBytes < FRAME_HEADER_BYTES) continue
        headerBytes = 0
        left = header.readUInt32BE()
      } else {
        const taken = Math.min(left, bytes.length - at)
        at += taken
        left -= taken
        if (left === 0) counted()
      }
    }
  })
}

function counted(): void {
  frameCount++
  if (awaited !== undefined) checkAwaited()
}

function checkAwaited(): void {
  if (awaited === undefined || frameCount < awaited.frames) return
  awaited.resolve()
  awaited = undefined
}

serve(verbs)
