/**
 * What applications do to an engine beside reading and writing. Merge functions that throw come
 * with the default keys; each caller changes what it has handed in (`perform.ts`).
 */
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { Warp } from '../../../src/api/public.ts'
import { meddleWith } from '../../world/meddling.ts'
import type { Intent } from '../report/run-history.ts'
import { isWrite, type World } from '../world.ts'
import type { Machine } from '../machine.ts'
import { type Fault, type FaultContext, logUniform, victim } from './fault.ts'

export type ApplicationFault =
  'compaction' | 'stalled watch' | 'projection' | 'meddling reader' | 'reads in merges' | 'hot key'

/** Writes of one key: so many at once, and so long until the next ones. */
const HOT_SLICE = 25
const HOT_PAUSE_MS = 20
/** A peer that is behind by that. */
const LAG_MS = 1000
/** Draws of the workload to find one more write of the key. */
const DRAWS_EACH = 200

export const APPLICATION_FAULTS: Readonly<Record<ApplicationFault, Fault>> = {
  compaction: {
    everyMs: [2000, 20_000],
    strike: (context) => {
      const machine = victim(context)
      const { world } = context
      if (machine?.warp === undefined) return false
      // Who has compacted before it ever met the others cannot be merged with them: README, "What
      // it does not promise".
      if (!machine.warp.stats().isJoined) {
        world.history.exempt('compaction before a replica has met the others')
        return false
      }
      world.struck('compaction', machine.name)
      world.call(machine, { kind: 'compact' })
      return true
    },
  },
  'stalled watch': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('stalled watch', machine.name)
      context.world.call(machine, { kind: 'watch', pattern: '*', takeMax: context.random.below(30) })
      return true
    },
  },
  /** Started, fed and dropped with the process. Throws now and then. */
  projection: {
    everyMs: [15_000, 60_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine?.warp === undefined) return false
      const name = `projection ${context.random.uint32()}`
      context.world.struck('projection', machine.name)
      machine.warp
        .project({ name, initial: () => 0, apply: (count: number) => count + 1 })
        .then(undefined, () => context.world.struck('projection refused'))
      return true
    },
  },
  /** Reads all that can be read of a key and changes everything in it. */
  'meddling reader': {
    everyMs: [3000, 15_000],
    strike: (context) => {
      const { world, random } = context
      const machine = victim(context)
      if (machine?.warp === undefined || world.keys.size === 0) return false
      const key = random.pick([...world.keys])
      world.struck('meddling reader', `${machine.name} ${key}`)
      meddle(machine.warp, key).then(undefined, () => world.struck('meddling refused'))
      return true
    },
  },
  /** Merge functions and observers read other keys of their engine. */
  'reads in merges': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const { world, random } = context
      if (world.keys.size === 0) return false
      world.struck('reads in merges')
      for (const machine of world.up()) {
        machine.onUserCode = () => peekQuietly(world, machine, random.pick([...world.keys]))
        context.until(logUniform(random, 2000, 20_000), () => (machine.onUserCode = undefined))
      }
      return true
    },
  },
  /** One key is written again and again, and in half of the cases a peer lags by a second. */
  'hot key': {
    everyMs: [20_000, 80_000],
    strike: (context) => {
      const { world, random } = context
      const machine = victim(context)
      const first = machine === undefined ? undefined : drawWrite(world, machine)
      if (machine === undefined || first === undefined) return false
      world.struck('hot key', `${machine.name} ${first.key}`)
      world.call(machine, first)
      burst(context, machine, { key: first.key, left: Math.round(logUniform(random, 20, 400)) })
      const peer = victim(context)
      if (peer === undefined || peer === machine || random.chance(0.5)) return true
      peer.pause()
      context.until(LAG_MS, () => peer.resume())
      return true
    },
  },
}

async function meddle(warp: Warp<KeyMap>, key: string): Promise<void> {
  meddleWith(await warp.get(key))
  meddleWith(warp.peek(key))
  meddleWith(await warp.getAt(key, { timeMs: Number.MAX_SAFE_INTEGER }))
  for await (const record of warp.log(key)) meddleWith(record)
}

/** What it throws is for the caller, who is a merge function: it goes on. */
function peekQuietly(world: World, { warp }: Machine, key: string): void {
  try {
    if (warp?.peek(key) !== undefined) world.history.count('values read by merges and observers')
  } catch {
    world.history.count('reads by merges and observers refused')
  }
}

type Write = Extract<Intent, { kind: 'write' | 'delete' }>

function drawWrite(world: World, machine: Machine, key?: string): Write | undefined {
  for (let i = 0; i < DRAWS_EACH; i++) {
    const intent = world.drawIntent(machine)
    if (isWrite(intent) && (key === undefined || intent.key === key)) return intent
  }
  return undefined
}

function burst(context: FaultContext, machine: Machine, hot: { readonly key: string; left: number }): void {
  const { world, endMs } = context
  for (let i = 0; i < HOT_SLICE && hot.left > 0; i++, hot.left--) {
    const write = machine.warp === undefined ? undefined : drawWrite(world, machine, hot.key)
    if (write === undefined) return
    world.call(machine, write)
  }
  if (hot.left > 0 && world.nowMs + HOT_PAUSE_MS < endMs) world.after(HOT_PAUSE_MS, () => burst(context, machine, hot))
}
