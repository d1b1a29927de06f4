/** Places: one order for everybody, and which records get none. */
import type { OrderedRecord } from '../../../src/ports/ordered-log.ts'
import { assert, assertBytes, assertEqual } from '../assert.ts'
import type { Follower } from './follower.ts'
import { bytesOf, type Check, idsOf, pattern, type Place } from './place.ts'

const LINKS_RECORDS = 40

export const ORDER: Readonly<Record<string, Check>> = {
  'what several links append at once comes to everybody in one order': async (place) => {
    const members = await place.three()
    const followers = members.map((member) => place.follow(member))
    await Promise.all(members.map((member, index) => place.appendAtOnce(member, idsOf(`link${index}`, LINKS_RECORDS))))
    for (const follower of followers) await hasAll(place, follower, members.length * LINKS_RECORDS)
    const late = place.follow(await place.open())
    await hasAll(place, late, members.length * LINKS_RECORDS)
    const placesCount = Math.min(...[...followers, late].map(({ records }) => records.length))
    const order = orderOf(late, placesCount)
    for (const follower of followers) assertEqual(orderOf(follower, placesCount), order, 'the order')
  },

  'records that one link appends without waiting get places in the order of the calls': async (place) => {
    const [a, b] = await place.three()
    const ids = idsOf('record', 200)
    const outcomes = await place.answer(Promise.all(ids.map((id) => a.link.append(0, id, bytesOf(id)))), 'many appends')
    const places = outcomes.flatMap((outcome) => (outcome.kind === 'appended' ? [outcome.offset] : []))
    const follower = place.follow(b)
    const last = await place.append(b, 'last')
    await place.until('the last record comes', () => follower.has(last.id))
    assertRising(places, 'the places of outcomes')
    assertRising(
      ids.flatMap((id) => firstOf(follower, id)?.offset ?? []),
      'the places of records',
    )
  },

  'the outcome of an append is the place at which the record is handed over': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    for (const id of idsOf('record', 10)) {
      const { offset } = await place.append(a, id)
      await place.until(`${id} comes`, () => follower.records.some((record) => record.offset === offset))
      assertEqual(follower.records.find((record) => record.offset === offset)?.id, id, `the record at ${offset}`)
    }
  },

  'a record that is appended again has a place, once or twice, and is the same': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    await place.append(a, 'one', pattern(100, 1))
    await place.append(a, 'two', pattern(100, 2))
    const again = await place.append(b, 'one', pattern(100, 1))
    const last = await place.append(a, 'last')
    await place.until('the last record comes', () => follower.has(last.id))
    for (const { id, bytes } of follower.records.filter(({ id }) => id === 'one' || id === 'two'))
      assertBytes(bytes, pattern(100, id === 'one' ? 1 : 2))
    assertEqual(recordAt(follower, again.offset)?.id, 'one', 'the record at the place of the second append')
  },

  'two records with the same bytes and different ids are two records': async (place) => {
    const [a, b] = await place.three()
    await place.append(a, 'one', bytesOf('same'))
    await place.append(b, 'two', bytesOf('same'))
    const follower = place.follow(a)
    await place.until('both come', () => follower.has('one') && follower.has('two'))
  },

  'bytes come back as they were, whatever happens to the buffer afterwards': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    const all = Uint8Array.from({ length: 256 }, (_, index) => index)
    const within = pattern(1000, 7)
    for (const [id, bytes] of [
      ['empty', new Uint8Array()],
      ['all', all],
      ['part', within.subarray(100, 200)],
    ] as const)
      await place.append(a, id, bytes)
    const reused = pattern(50, 3)
    await place.append(a, 'reused', reused)
    reused.fill(0)
    within.fill(0)
    await place.until('all come', () => ['empty', 'all', 'part', 'reused'].every((id) => follower.has(id)))
    assertBytes(firstOf(follower, 'empty')!.bytes, new Uint8Array())
    assertBytes(firstOf(follower, 'all')!.bytes, all)
    assertBytes(firstOf(follower, 'part')!.bytes, pattern(1000, 7).subarray(100, 200))
    assertBytes(firstOf(follower, 'reused')!.bytes, pattern(50, 3))
  },

  'a record has a time, the same for everybody': async (place) => {
    const [a, b, c] = await place.three()
    const followers = [place.follow(b), place.follow(c)]
    const { id } = await place.append(a, 'timed')
    for (const follower of followers) await place.until('the record comes', () => follower.has(id))
    const [one, two] = followers.map((follower) => firstOf(follower, id)?.timeMs)
    assert(typeof one === 'number' && one > 0 && Number.isFinite(one), `the time is ${String(one)}`)
    assertEqual(two, one, 'the time that another one is told')
  },

  'partitions have orders of their own': async (place) => {
    const [a, b] = await place.three()
    const partitions = Array.from({ length: a.link.partitionsCount }, (_, index) => index)
    const followers = partitions.map((partition) => place.follow(b, undefined, { partition }))
    for (let round = 0; round < 5; round++)
      for (const partition of partitions)
        await place.append(a, `${partition}-${round}`, bytesOf(`in ${partition}`), partition)
    for (const [partition, follower] of followers.entries()) {
      const ids = idsOf(String(partition), 5).join(' ')
      await place.until(`partition ${partition} has its records`, () => follower.ids === ids)
      for (const { bytes } of follower.records) assertBytes(bytes, bytesOf(`in ${partition}`))
    }
  },
}

export const LIMITS: Readonly<Record<string, Check>> = {
  'a record of recordBytesMax is taken whole, and one byte more is refused': async (place) => {
    const [a, b] = await place.three()
    const { recordBytesMax } = a.link
    const follower = place.follow(b)
    await place.append(a, 'below', pattern(recordBytesMax - 1, 1))
    await place.append(a, 'at', pattern(recordBytesMax, 2))
    await place.refuses(a.link.append(0, 'above', pattern(recordBytesMax + 1, 3)), 'WARP_E_LIMIT', 'a larger record')
    await place.append(a, 'after')
    await place.until('what comes after it comes', () => follower.has('after'))
    assertEqual(follower.ids, 'below at after', 'the records')
    assertBytes(firstOf(follower, 'below')!.bytes, pattern(recordBytesMax - 1, 1))
    assertBytes(firstOf(follower, 'at')!.bytes, pattern(recordBytesMax, 2))
  },

  'ids of 1 and of 64 visible characters come back, and others are refused': async (place) => {
    const a = await place.open()
    const visible = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join('')
    const taken = ['x', visible.slice(0, 64), visible.slice(30, 94), 'k'.repeat(64)]
    for (const id of taken) await place.append(a, id)
    const follower = place.follow(a)
    await place.until('all come', () => taken.every((id) => follower.has(id)))
    for (const id of ['', 'with space', 'line\n', 'höher', '\u0000', '\u007f'])
      await place.refuses(a.link.append(0, id, bytesOf('x')), 'WARP_E_CONFIG', `the id ${JSON.stringify(id)}`)
    await place.refuses(a.link.append(0, 'k'.repeat(65), bytesOf('x')), 'WARP_E_LIMIT', 'an id of 65 characters')
  },

  'about a partition that is not there every call fails': async (place) => {
    const a = await place.open()
    for (const partition of [-1, a.link.partitionsCount, 0.5, NaN]) {
      const what = `partition ${partition}`
      await place.refuses(a.link.append(partition, 'x', bytesOf('x')), 'WARP_E_CONFIG', `appending to ${what}`)
      await place.rejects(a.link.barrier(partition), 'WARP_E_CONFIG', `a barrier of ${what}`)
      await place.rejects(a.link.loadSnapshot(partition), 'WARP_E_CONFIG', `loading a snapshot of ${what}`)
      await place.rejects(a.link.trim(partition, 1), 'WARP_E_CONFIG', `trimming ${what}`)
      await place.rejects(
        a.link.saveSnapshot(partition, { bookmark: { offset: 1, id: 'x' }, pieces: nothing() }),
        'WARP_E_CONFIG',
        `saving a snapshot of ${what}`,
      )
      assertThrowsConfig(() => place.follow(a, undefined, { partition }), `following ${what}`)
    }
  },
}

async function hasAll(place: Place, follower: Follower, count: number): Promise<void> {
  await place.until(`${count} records come`, () => follower.idsCount >= count)
}

function orderOf({ records }: Follower, count: number): string {
  return records
    .slice(0, count)
    .map(({ offset, id }) => `${offset}:${id}`)
    .join(' ')
}

export function firstOf({ records }: Follower, id: string): OrderedRecord | undefined {
  return records.find((record) => record.id === id)
}

function recordAt({ records }: Follower, offset: number): OrderedRecord | undefined {
  return records.find((record) => record.offset === offset)
}

function assertRising(numbers: readonly number[], what: string): void {
  const at = numbers.findIndex((value, index) => index > 0 && value <= numbers[index - 1]!)
  assert(at < 0, `${what} rise: ${numbers[at - 1]} comes before ${numbers[at]}`)
}

function assertThrowsConfig(call: () => unknown, what: string): void {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  assertCode(thrown, 'WARP_E_CONFIG', what)
}

export function assertCode(thrown: unknown, code: string, what: string): void {
  const found = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)
  assertEqual(found, code, what)
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A state without bytes.
}
