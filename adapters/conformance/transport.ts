/**
 * What every implementation of the broadcast port must do, as a suite for any test runner: hand it
 * the runner's `test` function and a way to make a network of some transports that can reach each
 * other. The port may lose frames, so the suite sends again until one has come; it checks what
 * comes and what never may.
 *
 * ```ts
 * transportSuite({ test, create: (count) => ({ transports: myTransports(count) }) })
 * ```
 */
import type { Transport, TransportLink } from '../../src/ports/transport.ts'
import { assert, assertBytes, assertEqual } from './assert.ts'

/**
 * What replication needs; larger messages than the network's own must be split by the transport.
 */
const FRAME_BYTES_MIN = 256 * 1024
const ATTEMPTS_MAX = 200

export interface TransportSubject {
  /** Not opened yet; each can reach all others. */
  readonly transports: readonly Transport[]
  /** Lets a little time pass: frames that are under way arrive. Default: 10 ms. */
  readonly settle?: () => Promise<void>
  /** Called after each test, with everything closed. */
  readonly dispose?: () => void | Promise<void>
}

export interface TransportSuiteOptions {
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly create: (count: number) => TransportSubject | Promise<TransportSubject>
}

/** One transport, opened, and all that it has received. */
interface Place {
  readonly link: TransportLink
  readonly received: { readonly from: string; readonly bytes: Uint8Array }[]
}

interface Network {
  readonly places: readonly Place[]
  settle(): Promise<void>
}

type Check = (network: Network) => Promise<void>

export function transportSuite({ test, create }: TransportSuiteOptions): void {
  for (const [name, check] of Object.entries(CHECKS)) {
    test(name, async () => {
      const subject = await create(3)
      const places: Place[] = []
      try {
        for (const transport of subject.transports) places.push(await open(transport))
        await check({ places, settle: subject.settle ?? aMoment })
      } finally {
        for (const { link } of places) await link.close()
        await subject.dispose?.()
      }
    })
  }
}

const CHECKS: Readonly<Record<string, Check>> = {
  'frames of 256 KiB and more are taken': (network) => {
    for (const { link } of network.places) {
      assert(
        link.frameBytesMax >= FRAME_BYTES_MIN,
        `frameBytesMax is ${link.frameBytesMax}; at least ${FRAME_BYTES_MIN}`,
      )
    }
    return Promise.resolve()
  },

  'a broadcast reaches everybody else, whole, and not the sender': async (network) => {
    const [a, b, c] = three(network)
    await until(
      network,
      () => a.link.broadcast(pattern(1000, 7)),
      () => b.received.length > 0 && c.received.length > 0,
    )
    for (const place of [b, c]) for (const { bytes } of place.received) assertBytes(bytes, pattern(1000, 7))
    assertEqual(a.received.length, 0, 'frames that the sender received from itself')
  },

  'a frame sent to one peer reaches it and nobody else': async (network) => {
    const [a, b, c] = three(network)
    const addressOfB = await addressOf(network, b, a)
    a.received.length = b.received.length = c.received.length = 0
    await until(
      network,
      () => void a.link.send(addressOfB, pattern(10, 3)),
      () => b.received.some(isMarked(3)),
    )
    assert(!c.received.some(isMarked(3)), 'a third party received the frame')
  },

  'the address that a frame comes from is the one to answer to': async (network) => {
    const [a, b] = three(network)
    const addressOfA = await addressOf(network, a, b)
    await until(
      network,
      () => void b.link.send(addressOfA, pattern(20, 9)),
      () => a.received.some(isMarked(9)),
    )
  },

  'the largest frame arrives whole': async (network) => {
    const [a, b] = three(network)
    const frame = pattern(Math.min(a.link.frameBytesMax, 4 * 1024 * 1024), 5)
    await until(
      network,
      () => a.link.broadcast(frame),
      () => b.received.some(isMarked(5)),
    )
    for (const { bytes } of b.received) assertBytes(bytes, frame)
  },

  'what the sender does to its buffer afterwards is not seen': async (network) => {
    const [a, b] = three(network)
    const send = (): void => {
      const frame = pattern(500, 1)
      a.link.broadcast(frame)
      frame.fill(0)
    }
    await until(network, send, () => b.received.length > 0)
    await network.settle()
    for (const { bytes } of b.received) assertBytes(bytes, pattern(500, 1))
  },

  'an address that nobody has costs nothing': async (network) => {
    const [a, b] = three(network)
    const address = await addressOf(network, b, a)
    await b.link.close()
    a.link.send(address, pattern(10, 1))
    a.link.broadcast(pattern(10, 1))
    await network.settle()
  },

  'a closed link stays silent, and closes again without harm': async (network) => {
    const [a, b] = three(network)
    await a.link.close()
    await a.link.close()
    a.link.broadcast(pattern(10, 4))
    b.link.broadcast(pattern(10, 6))
    await network.settle()
    assertEqual(a.received.length, 0, 'frames received after closing')
    assert(!b.received.some(isMarked(4)), 'a frame was sent after closing')
  },
}

async function open(transport: Transport): Promise<Place> {
  const received: Place['received'] = []
  const link = await transport.open({ receive: (from, bytes) => void received.push({ from, bytes }) })
  return { link, received }
}

/** How `by` sees `place`: from a frame that it received. */
async function addressOf(network: Network, place: Place, by: Place): Promise<string> {
  await until(
    network,
    () => place.link.broadcast(pattern(8, 2)),
    () => by.received.some(isMarked(2)),
  )
  return by.received.find(isMarked(2))?.from ?? ''
}

/** Acts until it shows: a broadcast transport may lose frames. */
async function until(network: Network, act: () => void, isDone: () => boolean): Promise<void> {
  for (let i = 0; i < ATTEMPTS_MAX && !isDone(); i++) {
    act()
    await network.settle()
  }
  assert(isDone(), `no frame arrived in ${ATTEMPTS_MAX} attempts`)
}

function three({ places }: Network): [Place, Place, Place] {
  const [a, b, c] = places
  assert(a !== undefined && b !== undefined && c !== undefined, 'create(3) makes three transports')
  return [a, b, c]
}

/** `length` bytes that show truncation and mixing up. The first one tells frames apart. */
function pattern(length: number, mark: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + mark) & 0xff)
  bytes[0] = mark
  return bytes
}

function isMarked(mark: number): (frame: { readonly bytes: Uint8Array }) => boolean {
  return ({ bytes }) => bytes[0] === mark
}

function aMoment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}
