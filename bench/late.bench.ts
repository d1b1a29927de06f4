/**
 * Operations that arrive late at a key whose merge function does not commute: how much cheaper it
 * is to go back to a state nearby than to fold the key's whole log. They come as envelopes of
 * another replica, through the same door as in replication.
 */
import { custom } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import type { Contestant, Running } from './support/measure.ts'
import { BenchReplica } from './support/replica.ts'

export const question = 'What does an operation cost that arrives late at a key which folds in order?'

const KEY = 'log:1'

interface Digest {
  readonly count: number
  readonly hash: number
}

/** Order matters: each input is hashed onto what was there. */
const digest = custom<Digest, number>(
  ({ count, hash }, input) => ({ count: count + 1, hash: (Math.imul(hash, 31) + input) | 0 }),
  { initial: { count: 0, hash: 7 } },
)

interface Lateness {
  /** Operations of the key that come behind the late ones in canonical order. */
  readonly places: number
  /** Late operations that come together, before anybody reads. */
  readonly together: number
}

export async function run(context: BenchContext): Promise<void> {
  const length = context.size(100_000, 2000)
  const title = `a key with ${length.toLocaleString('en-US')} operations`
  await context.compare({
    title: `${title}: one late operation, then a read`,
    baseline: 'full fold',
    operations: 1,
    batches: 5,
    contestants: [
      { name: 'full fold', open: () => openFull(length) },
      late('10 places late', length, { places: 10, together: 1 }),
      late('1,000 places late', length, { places: 1000, together: 1 }),
    ],
    goals: context.isSmoke
      ? []
      : [
          { of: '10 places late', atLeast: 100 },
          { of: '1,000 places late', atLeast: 30 },
        ],
  })
  const together = context.size(1000, 50)
  await context.compare({
    title: `${title}: ${together.toLocaleString('en-US')} operations, each 1,000 places late`,
    baseline: 'read after each',
    operations: together,
    batches: 1,
    rounds: 5,
    contestants: [
      repeated('read after each', length, { places: 1000, together: 1 }, together),
      repeated('read after all', length, { places: 1000, together }, 1),
    ],
    goals: context.isSmoke ? [] : [{ of: 'read after all', atLeast: 10 }],
  })
}

/** A replica whose key has so many operations, one a millisecond. */
async function openReplica(length: number): Promise<BenchReplica> {
  const replica = await BenchReplica.open({ 'log:*': digest })
  for (let i = 0; i < length; i++) {
    replica.nowMs++
    replica.write(KEY, i)
    if (i % 1000 === 0) replica.read(KEY)
  }
  replica.read(KEY)
  return replica
}

async function openFull(length: number): Promise<Running> {
  const replica = await openReplica(length)
  let value: unknown
  return {
    batch() {
      replica.forgetState(KEY)
      value = replica.read(KEY)
    },
    verify() {
      if ((value as Digest).count !== length) throw new Error('the fold missed operations')
    },
    close: () => replica.close(),
  }
}

function late(name: string, length: number, lateness: Lateness): Contestant {
  return repeated(name, length, lateness, 1)
}

/** In one batch, `times` times over: that many late operations together, and a read. */
function repeated(name: string, length: number, { places, together }: Lateness, times: number): Contestant {
  return {
    name,
    async open() {
      const replica = await openReplica(length)
      // The other replica's clock stands still, so all that it writes belongs at the same distance
      // from the head.
      const other = await BenchReplica.open({ 'log:*': digest })
      other.nowMs = replica.nowMs - places
      const prepared = 64 * together * times
      for (let i = 0; i < prepared; i++) other.write(KEY, i)
      const envelopes = other.envelopes()
      let next = 0
      let value: unknown
      return {
        batch() {
          for (let time = 0; time < times; time++) {
            for (let i = 0; i < together; i++) replica.admit(envelopes[next++] as Uint8Array)
            value = replica.read(KEY)
          }
        },
        verify() {
          replica.forgetState(KEY)
          const folded = replica.read(KEY) as Digest
          const { count, hash } = value as Digest
          if (count !== length + next || hash !== folded.hash) throw new Error('rewinding and folding anew disagree')
        },
        close: () => replica.close(),
      }
    },
  }
}
