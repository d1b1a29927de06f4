/** What writers said (`engine-writer-process.ts`), and whether the folder that they left behind bears it out. */
import { expect } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { COUNTERS_COUNT, KEYS, REGISTERS_COUNT } from './engine-keys.ts'

const REGISTERS = Array.from({ length: REGISTERS_COUNT }, (_, index) => `k:${index}` as const)
const COUNTERS = Array.from({ length: COUNTERS_COUNT }, (_, index) => `c:${index}` as const)

/** What the writers of one folder said, over all cycles. */
export class Said {
  /** Acknowledged operations: dot → key. */
  readonly acked = new Map<string, string>()
  /** Everything that an earlier opening has found in the log: dot → key. */
  readonly #stored = new Map<string, string>()
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

  /** Opens what was left behind and compares it with what was said. */
  async check(path: string): Promise<void> {
    const warp = await openWarp({ log: fileLog({ path }), keys: KEYS })
    const found = new Map<string, string>()
    for (const key of [...REGISTERS, ...COUNTERS]) {
      const [least, greatest] = this.#bounds(key)
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
    const lost = [...this.acked, ...this.#stored].filter(([dot, key]) => found.get(dot) !== key)
    expect(lost).toEqual([])
    const last = Math.max(0, ...[...found.keys()].map((name) => Number(name.split(':')[1])))
    expect(found.size).toBe(last)
    for (const [dot, key] of found) this.#stored.set(dot, key)
    await warp.close()
  }

  /** The least and the greatest value that a key may have. */
  #bounds(key: string): readonly [least: number, greatest: number] {
    return [this.#kept.get(key) ?? 0, this.#tried.get(key) ?? 0]
  }

  #count(sums: Map<string, number>, key = '', n = ''): void {
    const before = sums.get(key) ?? 0
    sums.set(key, key.startsWith('c:') ? before + Number(n) : Math.max(before, Number(n)))
  }
}
