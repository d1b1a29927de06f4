/** What a server that is behind says must not be taken for a loss, and a loss not for that. */
import { JetStreamApiError, type JetStreamManager, type StoredMsg, type StreamInfo } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { describe, expect, test } from 'vitest'
import { PlaceCheck } from '../../../adapters/nats/ordered/place-check.ts'
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import { FakeClock } from '../broker/fake-clock.ts'

interface View {
  readonly first?: number
  readonly last: number
  readonly deleted?: readonly number[]
  readonly subject?: string
  /** Ids by place. Default: `r<place>`. */
  readonly ids?: Readonly<Record<number, string>>
}

const SUBJECT = 'orders.0.0123456789abcdef'
const at = (offset: number, id = `r${offset}`): Bookmark => ({ offset, id })

/** What the server shows at each look; the last view stays. `missing`: no such stream. */
function checkOf(
  views: readonly (View | 'missing')[],
  { snapshot, proof = 99 }: { snapshot?: Bookmark; proof?: number } = {},
) {
  const clock = new FakeClock()
  let looks = 0
  const asked: string[] = []
  const view = (): View | 'missing' => views[Math.min(looks, views.length - 1)]!
  const info = (): Promise<StreamInfo> => {
    const shown = view()
    looks++
    if (shown === 'missing')
      return Promise.reject(new JetStreamApiError({ code: 404, err_code: 10_059, description: 'stream not found' }))
    const { first = 1, last, deleted = [], subject = SUBJECT } = shown
    const state = { first_seq: last === 0 ? 0 : first, last_seq: last, num_deleted: deleted.length, deleted }
    return Promise.resolve({ config: { subjects: [subject] }, state } as unknown as StreamInfo)
  }
  const getMessage = (_: string, { seq }: { seq: number }): Promise<StoredMsg | null> => {
    const shown = view()
    if (shown === 'missing' || seq > shown.last || seq < (shown.first ?? 1)) return Promise.resolve(null)
    const header = headers()
    header.set('Warp-Id', shown.ids?.[seq] ?? `r${seq}`)
    return Promise.resolve({ seq, header } as StoredMsg)
  }
  const check = new PlaceCheck({
    ...{ stream: 'orders-0', subject: SUBJECT, identity: '0123456789abcdef' },
    manager: { streams: { info, getMessage } } as unknown as JetStreamManager,
    // Each wait is over at once.
    clock: { ...clockOf(clock), schedule: (_, callback) => (queueMicrotask(callback), { cancel: () => undefined }) },
    snapshot: () => Promise.resolve(snapshot),
    barrier: () => {
      asked.push('barrier')
      return Promise.resolve(proof)
    },
  })
  return { check, asked }
}

function clockOf(clock: FakeClock) {
  return { now: () => clock.now(), monotonic: () => clock.monotonic(), random: (count: number) => clock.random(count) }
}

describe('a place in a stream', () => {
  test.each<[string, Bookmark | undefined, View]>([
    ['the beginning of an empty stream', undefined, { last: 0 }],
    ['the beginning', undefined, { last: 5 }],
    ['a record that is there', at(3), { last: 5 }],
    ['the last record', at(5), { last: 5 }],
    ['the record before the first', at(3), { first: 4, last: 5 }],
    ['the last one of a stream that was trimmed altogether', at(5), { first: 6, last: 5 }],
  ])('%s is there, and nothing is appended to find that out', async (_, after, view) => {
    const { check, asked } = checkOf([view], { snapshot: at(5) })
    expect(await check.check(after)).toEqual({ kind: 'there' })
    expect(asked).toEqual([])
  })

  test('behind which a snapshot reaches is trimmed, and told where what is there begins', async () => {
    for (const after of [undefined, at(2)])
      expect(await checkOf([{ first: 5, last: 9 }], { snapshot: at(4) }).check.check(after)).toEqual({
        kind: 'trimmed',
        firstOffset: 5,
      })
  })

  interface Broken {
    readonly after?: Bookmark
    readonly view: View
    readonly snapshot?: Bookmark
    readonly reason: string
  }

  test.each<[string, Broken]>([
    ['of another record', { after: at(3, 'other'), view: { last: 99 }, reason: 'is another one' }],
    [
      'behind which records were purged',
      { after: at(2), view: { first: 5, last: 99 }, snapshot: at(3), reason: 'no snapshot has them' },
    ],
    ['behind which records were purged, without any snapshot', { view: { first: 5, last: 99 }, reason: 'purged' }],
    ['behind which one record was deleted', { after: at(2), view: { last: 99, deleted: [4] }, reason: 'up to 4' }],
    [
      'of which the snapshot knows another record',
      { after: at(4, 'other'), view: { first: 5, last: 99 }, snapshot: at(4), reason: 'another record 4' },
    ],
    [
      'in another stream',
      { after: at(2), view: { last: 99, subject: 'orders.0.fedcba9876543210' }, reason: 'made anew' },
    ],
  ])('%s is broken', async (_, { after, view, snapshot, reason }) => {
    const { check } = checkOf([view], snapshot === undefined ? {} : { snapshot })
    expect(await check.check(after)).toMatchObject({
      kind: 'broken',
      error: { code: 'WARP_E_ORDER_BROKEN', message: expect.stringContaining(reason) },
    })
  })

  test('that a server does not have which is behind is there, once it has the record that proves it', async () => {
    const { check, asked } = checkOf([{ last: 4 }, { last: 4 }, { last: 4 }, { last: 10 }], { proof: 10 })
    expect(await check.check(at(7))).toEqual({ kind: 'there' })
    expect(asked).toEqual(['barrier'])
  })

  test('that a new record takes, or one before it, is broken', async () => {
    const verdict = await checkOf([{ last: 5 }], { proof: 6 }).check.check(at(7))
    expect(verdict).toMatchObject({ kind: 'broken', error: { message: expect.stringContaining('has the place 6') } })
  })

  test('of a stream that is not there for a moment is waited for; of one that stays away it is broken', async () => {
    const away = Array.from({ length: 5 }, () => 'missing' as const)
    expect(await checkOf([...away, { last: 5 }]).check.check(at(3))).toEqual({ kind: 'there' })
    expect(await checkOf(['missing']).check.check(at(3))).toMatchObject({
      kind: 'broken',
      error: { message: expect.stringContaining('deleted') },
    })
  })

  test('of a stream that never shows what it has acknowledged is not judged', async () => {
    await expect(checkOf([{ last: 4 }], { proof: 10 }).check.check(at(7))).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_TRANSPORT' }),
    )
  })

  test('of who has everything, also what was purged, is there, and it is said that others are not helped', async () => {
    const { check } = checkOf([{ first: 5, last: 99 }], { snapshot: at(2) })
    expect(await check.check(at(6))).toMatchObject({ kind: 'there', warning: { code: 'WARP_E_ORDER_BROKEN' } })
    expect(await check.check(at(6, 'other'))).toMatchObject({ kind: 'broken' })
  })
})
