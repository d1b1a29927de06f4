/**
 * What carries frames from one process to another, without a replica around it: the mesh's transport,
 * or NATS. One process sends frames, another one counts them. All on loopback.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from '@nats-io/transport-node'
import { meshTransport } from '../adapters/mesh/index.ts'
import { serve } from '../test/support/child-program.ts'
import { freePort } from '../test/support/free-port.ts'
import { CreditSource, CreditWindow } from './support/credit.ts'
import { turn } from './support/users.ts'

const SUBJECT = 'frames'

interface Carrier {
  /** `false` if there is no room now. */
  send(frame: Uint8Array): boolean
  close(): Promise<void>
}

interface Opening {
  /** Where the server of NATS listens. Absent: by the mesh. */
  readonly nats?: string
  /** Of the mesh. */
  readonly peers: readonly string[]
  /** It counts what arrives, and tells the sender that listens there after every `every` frames. */
  readonly credit?: { readonly port: number; readonly every: number }
}

interface Frames {
  readonly frames: number
  readonly frameBytes: number
  /** Frames that may be under way. */
  readonly window: number
  /** Frames that are sent before the event loop turns. */
  readonly perTurn: number
  /** Each frame is put together from operations of so many bytes. Default: the same frame again and again. */
  readonly operationBytes?: number
}

const creditWindow = await CreditWindow.open()
let carrier: Carrier
let credit: CreditSource | undefined
let arrivedCount = 0
let sentCount = 0
let peers = 0

const verbs = {
  creditPort: () => creditWindow.port,

  /** Returns the address, for `peers` of others. */
  async open({ nats, peers: known, credit: told }: Opening): Promise<string> {
    if (told !== undefined) credit = await CreditSource.open(told.port, told.every)
    if (nats !== undefined) {
      carrier = await openNats(nats)
      return ''
    }
    const port = await freePort()
    carrier = await openMesh(port, known)
    return `127.0.0.1:${port}`
  },

  /** Waits until another one has been met, where that is to be waited for. */
  async met(): Promise<void> {
    while (peers === 0) await pause(5)
  },

  async send({ frames, frameBytes, window, perTurn, operationBytes }: Frames): Promise<void> {
    const whole = new Uint8Array(frameBytes).fill(7)
    for (let i = 0; i < frames; i++) {
      const frame = operationBytes === undefined ? whole : packed(whole, operationBytes)
      await creditWindow.until(++sentCount - window)
      while (!carrier.send(frame)) await turn()
      if ((i + 1) % perTurn === 0) await turn()
    }
    await creditWindow.until(sentCount)
  },

  arrivedCount: () => arrivedCount,

  close: () => carrier.close(),
}

/** What the bench may ask this program. */
export type CarrierProgram = typeof verbs

/** A frame of its own: operations, copied one behind the other. */
function packed(whole: Uint8Array, operationBytes: number): Uint8Array {
  const frame = new Uint8Array(whole.length)
  const operation = whole.subarray(0, operationBytes)
  for (let at = 0; at + operationBytes <= frame.length; at += operationBytes) frame.set(operation, at)
  return frame
}

function arrived(): void {
  arrivedCount++
  credit?.reached(arrivedCount)
}

async function openNats(url: string): Promise<Carrier> {
  const connection = await connect({ servers: url })
  if (credit !== undefined) connection.subscribe(SUBJECT, { callback: arrived })
  await connection.flush()
  peers = 1
  return {
    send(frame) {
      connection.publish(SUBJECT, frame)
      return true
    },
    close: () => connection.close(),
  }
}

async function openMesh(port: number, known: readonly string[]): Promise<Carrier> {
  let peer = ''
  const link = await meshTransport({ port, peers: known, insecure: true, multicast: false }).open({
    receive: arrived,
    peerUp(address) {
      peer = address
      peers++
    },
  })
  return { send: (frame) => link.send(peer, frame), close: () => link.close() }
}

serve(verbs)
