/**
 * Feeds a decoder with what `mutator.ts` makes. It may take an input or refuse it with a WarpError, and nothing else: no other error, no wait, no
 * changed prototype, and no memory that is kept. And it must do both, or the inputs say nothing.
 */
import { expect } from 'vitest'
import { isWarpError, type WarpErrorCode } from '../../crdt/warp-error.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { toHex } from '../../test/support/hex.ts'
import { leastKeptBytes, PARTS } from '../../test/support/kept-bytes.ts'
import { SEED, runs } from '../seed.ts'
import { mutated } from './mutator.ts'

export const INPUTS = 200_000

/** One input may take so long. What took longer is tried again, since the machine may have been elsewhere. */
const INPUT_MS_MAX = 50
const ATTEMPTS = 4

const KEPT_BYTES_MAX = 16 * 1024 * 1024

export interface FuzzedDecoder {
  readonly name: string
  /** Valid inputs of every kind. */
  readonly corpus: readonly Uint8Array[]
  /** Throws a WarpError, or answers `false`, for what it refuses. */
  decode(bytes: Uint8Array): unknown
  readonly refusals?: readonly WarpErrorCode[]
  /** For decoders that keep what they take, and have to be made anew. */
  readonly inputs?: number
}

const PROTOTYPES = [Object, Array, Map, Set, Uint8Array, String, Number, Date, Error, Function].map(
  ({ prototype }) => prototype as object,
)

export async function fuzz({
  name,
  corpus,
  decode,
  refusals = ['WARP_E_PROTOCOL'],
  ...rest
}: FuzzedDecoder): Promise<void> {
  const random = seededRandom(`${SEED} ${name}`)
  const inputs = runs(rest.inputs ?? INPUTS).numRuns
  const prototypes = describePrototypes()
  const counts = { taken: 0, refused: 0 }
  for (const valid of corpus) expect(attempt(decode, valid, refusals), `a valid input: ${toHex(valid)}`).toBe('taken')
  const feed = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const bytes = mutated(random, corpus)
      const from = performance.now()
      const outcome = attempt(decode, bytes, refusals)
      if (performance.now() - from > INPUT_MS_MAX)
        expect(isAlwaysSlow(decode, bytes), `slow: ${toHex(bytes)}`).toBe(false)
      if (outcome !== 'taken' && outcome !== 'refused') throw new Error(`${toHex(bytes)}: ${outcome}`)
      counts[outcome]++
    }
  }
  // By then every table has grown that may.
  feed(inputs / 4)
  expect(await leastKeptBytes(() => feed((inputs * 3) / 4 / PARTS))).toBeLessThan(KEPT_BYTES_MAX / PARTS)
  expect(describePrototypes()).toBe(prototypes)
  expect(Math.min(counts.taken, counts.refused), JSON.stringify(counts)).toBeGreaterThan(inputs / 1000)
}

/** `taken`, `refused`, or what is wrong. */
function attempt(decode: FuzzedDecoder['decode'], bytes: Uint8Array, refusals: readonly WarpErrorCode[]): string {
  try {
    return decode(bytes) === false ? 'refused' : 'taken'
  } catch (error) {
    if (isWarpError(error) && refusals.includes(error.code)) return 'refused'
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

function isAlwaysSlow(decode: FuzzedDecoder['decode'], bytes: Uint8Array): boolean {
  for (let i = 0; i < ATTEMPTS; i++) {
    const from = performance.now()
    attempt(decode, bytes, [])
    if (performance.now() - from <= INPUT_MS_MAX) return false
  }
  return true
}

function describePrototypes(): string {
  return PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).map(String).join()).join('\n')
}
