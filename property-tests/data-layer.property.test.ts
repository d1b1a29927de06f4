/**
 * Keyspaces that load, against random histories: a source that others change, announcements by
 * invalidations of every kind and by writes, slow loads, cuts, clocks that differ.
 *
 * The oracle: a read that begins once a replica knows of an announcement gives what the source held
 * then, or something later. What a replica knows is told by a mark that the announcer writes behind its
 * announcement: operations become visible in causal order.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SourceWorld, type AnyWarp } from '../test/data-layer/world.ts'
import { byExtent } from '../test/support/extent.ts'
import { SEED } from './seed.ts'

const RUNS = byExtent({ some: 60, all: 500, soak: 5000 })

const NAMES = ['a', 'b', 'c'] as const
const KEYS = ['k:1', 'k:2', 'k:other'] as const

type Step =
  | { readonly kind: 'announce'; readonly by: number; readonly key: number; readonly how: How }
  | { readonly kind: 'read'; readonly by: number; readonly key: number }
  | { readonly kind: 'hold' | 'answer' | 'heal' }
  | { readonly kind: 'cut'; readonly off: number }
  | { readonly kind: 'advance'; readonly ms: number }
type How = 'key' | 'pattern' | 'tag' | 'hard' | 'set'

const replica = fc.nat(NAMES.length - 1)
const key = fc.nat(KEYS.length - 1)
const how = fc.constantFrom<How>('key', 'pattern', 'tag', 'hard', 'set')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('announce' as const), by: replica, key, how }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('read' as const), by: replica, key }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('hold' as const, 'answer' as const, 'answer' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), off: replica }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 2000 }) }) },
)

interface Announcement {
  readonly by: number
  readonly mark: number
  readonly key: string
  readonly version: number
}

class History {
  readonly world = new SourceWorld()
  readonly warps: AnyWarp[] = []
  readonly #announced: Announcement[] = []
  readonly #marks = NAMES.map(() => 0)
  readonly #reads: Promise<void>[] = []

  async open(): Promise<void> {
    const options = { tags: (of: string) => [`tag ${of}`], ttlMs: 3000, staleMs: 10_000, softTimeoutMs: 50 }
    this.warps.push(...(await this.world.joinAll(NAMES, options)))
    for (const of of KEYS) this.world.source.set(of, 0)
  }

  async do(one: Step): Promise<void> {
    const { world } = this
    switch (one.kind) {
      case 'announce':
        return this.#announce(one.by, KEYS[one.key] as string, one.how)
      case 'read':
        this.#read(one.by, KEYS[one.key] as string)
        return world.env.runUntilIdle()
      case 'hold':
        world.isHolding = true
        return
      case 'answer':
        world.isHolding = false
        return world.held[0]?.answer()
      case 'cut': {
        world.network.partition([[NAMES[one.off] as string], NAMES.filter((_, i) => i !== one.off)])
        return
      }
      case 'heal': {
        world.network.heal()
        return
      }
      case 'advance':
        return world.env.advance(one.ms)
    }
  }

  /** After everything has been heard nothing void is left, and reads give what the source holds. */
  async end(): Promise<void> {
    const { world } = this
    world.isHolding = false
    while (world.held.length > 0) await world.held[0]?.answer()
    world.network.heal()
    await world.env.advance(5000)
    await Promise.all(this.#reads)
    for (const [i, warp] of this.warps.entries())
      for (const of of KEYS) {
        const shown = warp.peek(of)
        if (shown !== undefined) expect(shown).toBeGreaterThanOrEqual(this.#known(i, of))
        expect(await warp.get(of)).toBeGreaterThanOrEqual(this.#known(i, of))
      }
    await world.close()
  }

  /** Somebody has changed the source; then a replica says so. */
  async #announce(by: number, of: string, means: How): Promise<void> {
    const { source } = this.world
    const version = (source.get(of) as number) + 1
    source.set(of, version)
    const warp = this.warps[by] as AnyWarp
    const said =
      means === 'key'
        ? warp.invalidate(of)
        : means === 'pattern'
          ? warp.invalidate(`${of.slice(0, 3)}*`)
          : means === 'tag'
            ? warp.invalidateTag(`tag ${of}`)
            : means === 'hard'
              ? warp.clear(of)
              : warp.set(of, version)
    const mark = ++this.#marks[by]!
    await Promise.all([said, warp.set(`own:${by}`, mark)])
    this.#announced.push({ by, mark, key: of, version })
  }

  #read(by: number, of: string): void {
    const atLeast = this.#known(by, of)
    const reading = (this.warps[by] as AnyWarp).get(of).then((value) => {
      expect(value, `${NAMES[by]} read ${of}`).toBeGreaterThanOrEqual(atLeast)
    })
    this.#reads.push(reading)
    reading.catch(() => undefined)
  }

  /** The newest version that a replica has been told of. */
  #known(by: number, of: string): number {
    let version = 0
    for (const announced of this.#announced) {
      if (announced.key !== of) continue
      const mark = this.warps[by]?.peek(`own:${announced.by}`) as number | undefined
      if ((mark ?? 0) >= announced.mark) version = Math.max(version, announced.version)
    }
    return version
  }
}

test('who knows of an announcement never reads what was before it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const history = new History()
      await history.open()
      for (const one of steps) await history.do(one)
      await history.end()
    }),
    { numRuns: RUNS, seed: SEED },
  )
})
