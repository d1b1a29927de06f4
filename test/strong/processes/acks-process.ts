/**
 * A replica over a real NATS, ordered log and transport, that writes strong and eventual keys and waits until others hold
 * them. Asked by tests. Of its load it says, one a line: `acked KEY` when a write has settled, whose value is its number.
 */
import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileLog } from '../../../adapters/file/index.ts'
import { natsOrderedLog, natsTransport } from '../../../adapters/nats/index.ts'
import { openWarp, type ReplicaAcks, type Warp } from '../../../adapters/node/index.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { serve } from '../../support/child-program.ts'
import { ACKED_KEYS, type AckedKey } from './acked-keys.ts'

/** Writes under way at a time, of each kind. */
const UNDER_WAY = 4
/** Few, so that newcomers begin from a snapshot now and then. */
const SNAPSHOT_EVERY = 300

/** How a write that waited has ended. */
export interface WaitEnd {
  readonly acks?: { readonly replicas: number; readonly zones: number } | undefined
  readonly code?: string
  readonly outcome?: string
  readonly message?: string
}

interface Opening {
  readonly servers: string
  readonly name: string
  readonly zone: string
  readonly folder: string
}

let warp: Warp<typeof ACKED_KEYS>
const waits = new Map<string, { readonly end: Promise<WaitEnd>; ended?: WaitEnd; readonly abort: () => void }>()
let isLoading = false
let load: Promise<unknown> = Promise.resolve()

const verbs = {
  async open({ servers, name, zone, folder }: Opening): Promise<void> {
    warp = await openWarp({
      ...{ keys: ACKED_KEYS, name, zone, log: fileLog({ path: folder }), strong: { snapshotEvery: SNAPSHOT_EVERY } },
      order: natsOrderedLog({ servers, stream: 'acks' }),
      transports: [natsTransport({ servers, subject: 'acks', heartbeatMs: 200 })],
    })
  },

  /** Waits until so many others are there. */
  async sees({ count }: { count: number }): Promise<void> {
    while (warp.peers().filter(({ state }) => state === 'up').length !== count) await pause(5)
  },

  /** Begins to write the value 1 and to wait, as `id`. */
  begin({ id, key, acks }: { id: string; key: AckedKey; acks: ReplicaAcks }): void {
    const controller = new AbortController()
    const writing = warp.set(key, 1, { acks, signal: controller.signal })
    const end = writing.then((receipt): WaitEnd => ({ acks: receipt.acks }), endOf)
    waits.set(id, { end, abort: () => controller.abort() })
    void end.then((ended) => (waits.get(id)!.ended = ended))
  },

  end: ({ id }: { id: string }): Promise<WaitEnd> | undefined => waits.get(id)?.end,

  ended: ({ id }: { id: string }): WaitEnd | undefined => waits.get(id)?.ended,

  abort: ({ id }: { id: string }): void => waits.get(id)?.abort(),

  value: ({ key }: { key: AckedKey }): Promise<number | undefined> => warp.get(key),

  /** Writes all the time, keys that nobody else writes: their names end with a number from `first` on. */
  load({ first, acks }: { first: number; acks: ReplicaAcks }): void {
    isLoading = true
    let number = first
    const line = async (kind: 'stock' | 'order'): Promise<void> => {
      while (isLoading) {
        const own = number++
        await warp.set(`${kind}:${own}`, own, { acks })
        writeSync(1, `acked ${kind}:${own}\n`)
      }
    }
    load = Promise.all(Array.from({ length: UNDER_WAY }, () => [line('stock'), line('order')]).flat())
  },

  /** Ends the load. What has been asked for settles first. */
  async rest(): Promise<void> {
    isLoading = false
    await load
  },

  /** Which of these keys do not have the value that they were given. */
  async lost({ keys }: { keys: readonly AckedKey[] }): Promise<AckedKey[]> {
    const values = await Promise.all(keys.map((key) => warp.get(key)))
    return keys.filter((key, i) => values[i] !== Number(key.split(':')[1]))
  },

  close: () => warp.close(),
}

/** What a test may ask this program. */
export type AcksProgram = typeof verbs

serve(verbs)

function endOf(error: unknown): WaitEnd {
  if (!isWarpError(error)) throw error
  const { code, outcome, message } = error
  return { code, message, ...(outcome === undefined ? {} : { outcome }) }
}
