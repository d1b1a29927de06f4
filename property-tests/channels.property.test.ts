/**
 * Three replicas publish and subscribe over two networks that lose, repeat and reorder frames and are cut at
 * random. The model is the list of what was published, by publisher and channel. Of channels that keep
 * nothing a subscriber is shown a part of that in its order, each once, and a gap with the right number where
 * something is missing; of those that keep, all of it; and who comes late, the newest of it first.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ChannelNews } from '../adapters/node/index.ts'
import { channelWorld, type ChannelWarp, type Heard, listen } from '../test/channels/world.ts'
import { runs, SEED } from './seed.ts'

const NAMES = ['a', 'b', 'c'] as const
const KEPT = 5
const CHANNELS = { 'kept:*': { replay: { count: KEPT } } } as const
const LOSSY = { delayMs: 3, jitterMs: 10, loss: 0.2, repeat: 0.2, repeatDelayMs: 60, reorder: 0.2 }

type Step =
  | { readonly kind: 'publish'; readonly by: number; readonly channel: string }
  | { readonly kind: 'subscribe'; readonly by: number; readonly channel: string }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'cut'; readonly by: number; readonly network: number }
  | { readonly kind: 'heal' }

const by = fc.nat(NAMES.length - 1)
const channel = fc.constantFrom('p:1', 'p:2', 'kept:1')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('publish'), by, channel }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('subscribe'), by, channel: fc.oneof(channel, fc.constant('*')) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(1, 10, 300, 2000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut'), by, network: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal') }) },
)

interface Published {
  readonly publisher: string
  readonly channel: string
  readonly number: number
}

interface Listener {
  readonly heard: Heard
  readonly pattern: string
  /** How much of each publisher and channel had been published when it began. */
  readonly before: ReadonlyMap<string, number>
}

it('a subscriber misses nothing without being told, and is shown nothing twice or out of order', async () => {
  let shownCount = 0
  let missedCount = 0
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 10, maxLength: 80 }),
    fc.nat(100_000),
    async (steps, seed) => {
      const world = channelWorld({ seed, channels: CHANNELS, networks: [LOSSY, { ...LOSSY, delayMs: 40 }] })
      const warps: ChannelWarp[] = []
      for (const name of NAMES) warps.push(await world.open(name))
      await world.env.advance(5000)
      const counts = new Map<string, number>()
      const listeners: Listener[] = []
      for (const one of steps) {
        if (one.kind === 'publish') {
          const warp = warps[one.by] as ChannelWarp
          const name = `${warp.replica} ${one.channel}`
          const number = (counts.get(name) ?? 0) + 1
          counts.set(name, number)
          const published: Published = { publisher: warp.replica, channel: one.channel, number }
          await warp.channel<Published>(one.channel).publish(published)
        } else if (one.kind === 'subscribe') {
          const subscription = (warps[one.by] as ChannelWarp).channel(one.channel).subscribe()
          listeners.push({ heard: listen(subscription), pattern: one.channel, before: new Map(counts) })
        } else if (one.kind === 'wait') await world.env.advance(one.ms)
        else if (one.kind === 'heal') for (const network of world.networks) network.heal()
        else {
          const alone = NAMES[one.by] as string
          world.networks[one.network]?.partition([[alone], NAMES.filter((name) => name !== alone)])
        }
      }
      for (const network of world.networks) network.heal()
      await world.env.advance(20_000)
      for (const listener of listeners) {
        const judged = judge(listener, counts)
        shownCount += judged.shownCount
        missedCount += judged.missedCount
      }
      await lateComer(warps, counts, () => world.env.runUntilIdle())
      await world.close()
    },
  )
  await fc.assert(property, runs(150))
  console.info(`seed ${SEED}: ${shownCount} messages shown, ${missedCount} told as missed`)
  expect(shownCount).toBeGreaterThan(100)
  expect(missedCount).toBeGreaterThan(0)
})

/** What one subscriber has been shown, by publisher and channel. */
class Shown {
  readonly next = new Map<string, number>()
  /** Missed since then; `undefined`: nobody knows how many. */
  readonly told = new Map<string, number | undefined>()

  message({ publisher, channel: of, number }: Published): void {
    const name = `${publisher} ${of}`
    const expected = this.next.get(name)
    // Where a publisher was that has not been heard before, nobody knows.
    if (expected !== undefined && number !== expected) {
      expect(number).toBeGreaterThan(expected)
      expect(this.told.get(name)).toBe(number - expected)
    }
    this.told.delete(name)
    this.next.set(name, number + 1)
  }

  /** So much had been published in all, and so much when the subscriber began. */
  end(name: string, count: number, before: number): void {
    const seen = (this.next.get(name) ?? 1) - 1
    // Of what is kept everything since it began, whatever the network did.
    if (name.includes(' kept:')) expect(count > before ? seen : count).toBe(count)
    else if (this.next.has(name)) expect(seen < count ? this.told.get(name) : 0).toBe(count - seen)
    else if (count > before) expect([...this.told.keys()]).toContain(name)
  }
}

/** Follows what one subscriber was shown, beside what was published. */
function judge({ heard, pattern, before }: Listener, counts: ReadonlyMap<string, number>) {
  const shown = new Shown()
  let missedCount = 0
  let shownCount = 0
  for (const news of heard.news) {
    if (news.kind === 'gap') {
      missedCount += noteGap(news, shown.told)
      continue
    }
    shownCount++
    const published = news.payload as Published
    expect([news.publisher, news.channel]).toEqual([published.publisher, published.channel])
    expect(['*', news.channel]).toContain(pattern)
    shown.message(published)
  }
  for (const [name, count] of counts) {
    const [, of = ''] = name.split(' ')
    if (pattern === '*' || pattern === of) shown.end(name, count, before.get(name) ?? 0)
  }
  return { shownCount, missedCount }
}

function noteGap(gap: Extract<ChannelNews, { kind: 'gap' }>, told: Map<string, number | undefined>): number {
  const name = `${gap.publisher ?? ''} ${gap.channel ?? ''}`
  const known = told.get(name) ?? 0
  told.set(name, gap.missedCount === undefined ? undefined : known + gap.missedCount)
  return gap.missedCount ?? 1
}

/** Who comes late is shown the newest of what is kept, the same on every replica. */
async function lateComer(
  warps: readonly ChannelWarp[],
  counts: ReadonlyMap<string, number>,
  idle: () => Promise<void>,
): Promise<void> {
  const heard = warps.map((warp) => listen(warp.channel('kept:1').subscribe({ replay: true })))
  await idle()
  const total = [...counts].reduce((sum, [name, count]) => sum + (name.endsWith('kept:1') ? count : 0), 0)
  for (const { shown } of heard) expect(shown).toEqual(heard[0]?.shown)
  expect(heard[0]?.shown).toHaveLength(Math.min(KEPT, total))
}
