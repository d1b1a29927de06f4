/**
 * One replica of a chaos run: writes as fast as it is told to, and says on its standard output, one
 * a line and before anything else happens:
 *
 * - `tried KEY TEXT` before a write;
 * - `acked KEY TEXT` when it has settled;
 * - `refused KEY TEXT CODE` when it was refused, so that it must not be there.
 *
 * It is asked over Node's channel; see `ChaosProgram`. A log that is poisoned ends the process, as a
 * supervisor would want.
 */
import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileLog } from '../../adapters/file/index.ts'
import { meshTransport } from '../../adapters/mesh/index.ts'
import { type Warp, nodeEnv, openWarp } from '../../adapters/node/index.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { serve } from '../support/child-program.ts'
import { POISONED_EXIT } from './exit-codes.ts'
import { KEYS, KEYS_COUNT } from './keys.ts'

export interface ChaosOpening {
  readonly name: string
  /** Names this life of the process: part of everything that it writes. */
  readonly life: string
  readonly folder: string
  readonly port: number
  readonly peers: readonly string[]
  readonly clusterKey: string
  readonly horizonMs: number
  readonly writersCount: number
  /** Between two writes of one writer. */
  readonly pauseMs: number
}

const HEARD_MS_MAX = 60_000

let warp: Warp<typeof KEYS>
let opening: ChaosOpening
let clockOffsetMs = 0
let isWriting = true
const events = new Map<string, number>()
let writers: Promise<unknown> = Promise.resolve()

const say = (line: string): void => void writeSync(1, `${line}\n`)

const verbs = {
  async open(given: ChaosOpening): Promise<void> {
    opening = given
    const { name, folder, port, peers, clusterKey, horizonMs } = given
    const real = nodeEnv()
    warp = await openWarp({
      ...{ name, keys: KEYS, log: fileLog({ path: folder }) },
      env: { ...real, now: () => real.now() + clockOffsetMs },
      transports: [meshTransport({ port, peers, clusterKey, multicast: false, probeIntervalMs: 500 })],
      replication: { horizonMs, digestIntervalMs: 500 },
      observe: ({ kind }) => void events.set(kind, (events.get(kind) ?? 0) + 1),
    })
    const { writersCount } = given
    writers = Promise.all(Array.from({ length: writersCount }, (_, writer) => writeOn(writer)))
  },

  /** Moves this replica's wall clock; its monotonic clock runs on. */
  shiftClock({ offsetMs }: { offsetMs: number }): void {
    clockOffsetMs = offsetMs
  },

  async stopWriting(): Promise<void> {
    isWriting = false
    await writers
  },

  /** What each key holds, sorted. */
  async values(): Promise<readonly (readonly [key: string, value: unknown])[]> {
    const values: [string, unknown][] = []
    for await (const { key, value } of warp.entries('*')) {
      values.push([key, value instanceof Set ? [...(value as Set<string>)].toSorted() : value])
    }
    return values.toSorted(([a], [b]) => (a < b ? -1 : 1))
  },

  events: (): readonly (readonly [kind: string, count: number])[] => [...events],

  /** Of how many replicas it names operations. */
  namedCount: (): number => warp.replicas().filter(({ operationsCount }) => operationsCount > 0).length,

  close: () => warp.close(),

  /** Once another one has all of it: a close waits for two seconds only, whatever the machine has to do. */
  async leave(): Promise<void> {
    const untilMs = performance.now() + HEARD_MS_MAX
    const isHeard = (): boolean => warp.peers().some(({ state, lagCount }) => state === 'up' && lagCount === 0)
    while (!isHeard() && performance.now() < untilMs) await pause(50)
    await warp.close({ leave: true })
  },
}

export type ChaosProgram = typeof verbs

async function writeOn(writer: number): Promise<void> {
  const random = seededRandom(`${opening.life} ${writer}`)
  for (let i = 0; isWriting; i++) {
    const text = `${opening.life}.${writer}.${i}`
    const ack = random.chance(0.2) ? 'durable' : 'logged'
    const number = random.below(KEYS_COUNT)
    switch (random.below(3)) {
      case 0:
        await said(`note:${number}`, text, () => warp.key(`note:${number}`).with({ ack }).set(text))
        break
      case 1:
        await said(`cart:${number}`, text, () => warp.key(`cart:${number}`).with({ ack }).add(text))
        break
      default:
        await said(`count:${opening.life}`, text, () => warp.key(`count:${opening.life}`).with({ ack }).increment())
    }
    await pause(opening.pauseMs)
  }
}

async function said(key: string, text: string, write: () => Promise<unknown>): Promise<void> {
  say(`tried ${key} ${text}`)
  try {
    await write()
    say(`acked ${key} ${text}`)
  } catch (error) {
    if (!(error instanceof WarpError)) throw error
    if (error.code === 'WARP_E_STORAGE_FULL') say(`refused ${key} ${text} ${error.code}`)
    if (error.code === 'WARP_E_STORAGE_POISONED') process.exit(POISONED_EXIT)
    if (!EXPECTED.has(error.code)) throw error
    await pause(100)
  }
}

/** What a write may meet under these faults. Anything else ends the process, and so the run. */
const EXPECTED = new Set(['WARP_E_STORAGE_FULL', 'WARP_E_STORAGE', 'WARP_E_CLOCK_DRIFT'])

serve(verbs)
