import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { COUNTERS_COUNT, KEYS, REGISTERS_COUNT } from './engine-keys.ts'
import { cycleCount, linesUntilKilled } from './killed-child.ts'

const REGISTERS = Array.from({ length: REGISTERS_COUNT }, (_, index) => `k:${index}` as const)
const COUNTERS = Array.from({ length: COUNTERS_COUNT }, (_, index) => `c:${index}` as const)

/** Starting a process takes a tenth of a second on an idle machine, and there is no telling on a busy one. */
const TIMEOUT_MS = 3_600_000

/** What the writers said over all cycles. */
class Said {
  /** Acknowledged operations: dot → key. */
  readonly acked = new Map<string, string>()
  readonly #tried = new Map<string, number>()
  readonly #kept = new Map<string, number>()

  take(line: string): void {
    const words = line.split(' ')
    if (words[0] === 'tried') this.#count(this.#tried, words[1], words[2])
    if (words[0] !== 'acked') return
    const dot = `${words[1]}:${words[2]}`
    if (this.acked.has(dot))
      throw new Error(`${dot} was acknowledged twice: for ${this.acked.get(dot)} and for ${words[3]}`)
    this.acked.set(dot, words[3] ?? '')
    this.#count(this.#kept, words[3], words[4])
  }

  /** The least and the greatest value that a key may have. */
  bounds(key: string): readonly [least: number, greatest: number] {
    return [this.#kept.get(key) ?? 0, this.#tried.get(key) ?? 0]
  }

  #count(sums: Map<string, number>, key = '', n = ''): void {
    const before = sums.get(key) ?? 0
    sums.set(key, key.startsWith('c:') ? before + Number(n) : Math.max(before, Number(n)))
  }
}

/** Opens what was left behind and compares it with what was said. `stored` collects dot → key of everything in the log. */
async function check(path: string, said: Said, stored: Map<string, string>): Promise<void> {
  const warp = await openWarp({ log: fileLog({ path }), keys: KEYS })
  const found = new Map<string, string>()
  for (const key of [...REGISTERS, ...COUNTERS]) {
    const [least, greatest] = said.bounds(key)
    const value = (await warp.get(key)) ?? 0
    expect(value, key).toBeGreaterThanOrEqual(least)
    expect(value, key).toBeLessThanOrEqual(greatest)
    for await (const { dot } of warp.log(key)) {
      const name = `${dot.replica}:${dot.sequence}`
      if (found.has(name)) throw new Error(`${name} names operations of ${found.get(name)} and of ${key}`)
      found.set(name, key)
      if (dot.replica !== warp.replica) throw new Error(`${name} is not of ${warp.replica}: the identity changed`)
    }
  }
  // What was acknowledged, and what an earlier opening has seen, is there and is the same operation.
  const lost = [...said.acked, ...stored].filter(([dot, key]) => found.get(dot) !== key)
  expect(lost).toEqual([])
  const last = Math.max(0, ...[...found.keys()].map((name) => Number(name.split(':')[1])))
  expect(found.size).toBe(last)
  for (const [dot, key] of found) stored.set(dot, key)
  await warp.close()
}

test(
  'an engine whose process is killed loses no acknowledged operation and uses no dot twice',
  async () => {
    const path = temporaryFolder()
    const random = seededRandom(`engine-kill ${process.env['SEED'] ?? ''}`)
    const cycles = cycleCount(50)
    const said = new Said()
    const stored = new Map<string, string>()
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const afterAcked = random.pick([0, 1, random.between(2, 30), random.between(30, 200)])
      const lines = await linesUntilKilled({
        program: 'engine-writer',
        arguments: [path, String(random.uint32())],
        afterAcked,
      })
      for (const line of lines) said.take(line)
      // Now and then the next writer is the first to open what this one left.
      if (cycle === cycles || random.chance(0.6)) await check(path, said, stored)
    }
    expect(said.acked.size).toBeGreaterThan(cycles)
  },
  TIMEOUT_MS,
)
