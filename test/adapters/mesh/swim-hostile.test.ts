/** What an authentic peer can do to the others' idea of who is there: little, and nothing that lasts. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Contact, MemberId } from '../../../adapters/mesh/contacts/contact.ts'
import { INCARNATION_MAX, type MemberRecord } from '../../../adapters/mesh/membership/member-record.ts'
import { MEMBERS_MAX } from '../../../adapters/mesh/membership/members.ts'
import { MESSAGE, type MessageKind } from '../../../adapters/mesh/messages.ts'
import { Membership, MEMBERSHIP_DEFAULTS } from '../../../adapters/mesh/membership/swim.ts'
import {
  decodeAck,
  decodePing,
  encodeAck,
  encodePing,
  encodePingRequest,
  encodeRecords,
} from '../../../adapters/mesh/membership/swim-messages.ts'
import { idOf } from '../../support/membership-cluster.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

interface Sent {
  readonly to: MemberId
  readonly kind: MessageKind
  readonly body: Uint8Array
}

let env: VirtualEnv
let sent: Sent[]
let states: string[]
let introduced: string[]
let skews: number[]
let malformedCount: number
let membership: Membership

beforeEach(() => {
  env = virtualEnv()
  ;[sent, states, introduced, skews, malformedCount] = [[], [], [], [], 0]
  membership = new Membership({
    clock: env,
    self: { member: idOf(0), zone: '', roles: [] },
    settings: MEMBERSHIP_DEFAULTS,
    send: (to, kind, body) => sent.push({ to, kind, body }),
    events: {
      onState: (member, state) => states.push(`${member} ${state}`),
      onIntroduced: ({ host }) => introduced.push(host),
      onSkewed: (_member, skewMs) => skews.push(skewMs),
      onMalformed: () => malformedCount++,
    },
  })
  membership.start()
})

function contact(index: number, address = `10.0.${index >> 8}.${index & 255}:7946`): Contact {
  const [host = '', port] = address.split(':')
  return { profile: { member: idOf(index), zone: 'z', roles: [] }, endpoint: { host, port: Number(port) }, address }
}

function record(index: number, fields: Partial<MemberRecord> = {}): MemberRecord {
  const { profile, endpoint } = contact(index)
  return { profile, endpoint, state: 'alive', incarnation: 0, ...fields }
}

function tell(from: number, ...records: MemberRecord[]): void {
  for (const body of encodeRecords(records)) membership.receive(idOf(from), MESSAGE.records, body)
}

/** Lets time pass while the members in `living` answer their pings. */
async function pass(ms: number, ...living: number[]): Promise<void> {
  for (let left = ms; left > 0; left -= 10) {
    await env.advance(10)
    answer(...living)
  }
}

function answer(...living: number[]): void {
  for (const { to, kind, body } of sent.splice(0))
    if (kind === MESSAGE.ping && living.some((index) => idOf(index) === to))
      membership.receive(
        to,
        MESSAGE.ack,
        encodeAck({ sequence: decodePing(body).sequence, wallMs: env.now(), records: [] }),
      )
}

describe('records of strangers', () => {
  test('are hints at where to knock, and nothing else', () => {
    membership.met(contact(1))
    tell(1, record(2), record(3, { state: 'suspect' }), record(4, { state: 'down' }), record(5, { state: 'left' }))
    expect(introduced).toEqual(['10.0.0.2', '10.0.0.3'])
    expect(membership.views()).toHaveLength(1)
  })

  test('are not passed on', async () => {
    membership.met(contact(1))
    tell(1, record(9))
    sent.length = 0
    await pass(1)
    membership.receive(idOf(1), MESSAGE.ping, encodePing({ sequence: 1, records: [] }))
    const told = sent.filter(({ kind }) => kind === MESSAGE.ack).flatMap(({ body }) => decodeAck(body).records)
    expect(told.map(({ profile }) => profile.member)).not.toContain(idOf(9))
    expect(told.length).toBeGreaterThan(0)
  })

  test('without an address, or about a member that left, lead nowhere', () => {
    membership.met(contact(1))
    membership.met(contact(2))
    membership.receive(idOf(2), MESSAGE.leave, new Uint8Array(0))
    const { endpoint: _none, ...homeless } = record(3)
    tell(1, record(2, { incarnation: 7 }), homeless)
    expect(introduced).toEqual([])
  })
})

describe('lies about members that we hear', () => {
  test.each(['suspect', 'down', 'left'] as const)('%s: a member that answers stays up', async (state) => {
    for (const index of [1, 2]) membership.met(contact(index))
    await pass(5000, 1, 2)
    states.length = 0
    for (let i = 0; i < 60; i++) {
      tell(1, record(2, { state, incarnation: INCARNATION_MAX }))
      await pass(500, 1, 2)
    }
    expect(states).toEqual([])
  })

  test('a member that does not answer, and is down by the word of others, is down after an interval', async () => {
    for (const index of [1, 2]) membership.met(contact(index))
    await pass(3000, 1, 2)
    states.length = 0
    tell(1, record(2, { state: 'down' }))
    await pass(1300, 1)
    expect(states).toEqual([`${idOf(2)} down`])
  })

  test('whom we have just heard we do not ask again, however often others doubt it', async () => {
    for (const index of [1, 2]) membership.met(contact(index))
    await pass(3000, 1, 2)
    let pingCount = 0
    for (let i = 0; i < 100; i++) {
      tell(1, record(2, { state: 'suspect' }))
      pingCount += sent.filter(({ kind, to }) => kind === MESSAGE.ping && to === idOf(2)).length
      answer(1, 2)
    }
    expect(pingCount).toBeLessThanOrEqual(1)
  })

  test('nobody can raise our incarnation beyond what can be written', () => {
    membership.met(contact(1))
    for (let i = 0; i < 3; i++) tell(1, { ...record(0, { state: 'down', incarnation: INCARNATION_MAX }) })
    sent.length = 0
    membership.receive(idOf(1), MESSAGE.ping, encodePing({ sequence: 1, records: [] }))
    const own = decodeAck(sent[0]?.body ?? new Uint8Array(0)).records.find(({ profile }) => profile.member === idOf(0))
    expect(own).toMatchObject({ state: 'alive', incarnation: INCARNATION_MAX })
  })

  test('an answer counts only from the one who was asked', async () => {
    for (const index of [1, 2]) membership.met(contact(index))
    const pings = sent.filter(({ kind, to }) => kind === MESSAGE.ping && to === idOf(2))
    const { sequence } = decodePing(pings[0]?.body ?? new Uint8Array(0))
    membership.receive(idOf(1), MESSAGE.ack, encodeAck({ sequence, wallMs: env.now() + 1e9, records: [] }))
    expect(membership.views().map(({ roundTripMs }) => roundTripMs)).toEqual([undefined, undefined])
    expect(skews).toEqual([])
  })
})

test('a suspect is told so with every ping, for it alone can refute it', async () => {
  // Many, so that neither gossip nor rotation tells it every time.
  const others = Array.from({ length: 40 }, (_, i) => i + 3)
  for (const index of [2, ...others]) membership.met(contact(index))
  await pass(10, 2, ...others)
  const told: boolean[] = []
  for (let ms = 0; ms < 60_000 && !states.includes(`${idOf(2)} down`); ms += 10) {
    const isSuspect = states.includes(`${idOf(2)} suspect`)
    await env.advance(10)
    for (const { to, kind, body } of sent)
      if (isSuspect && kind === MESSAGE.ping && to === idOf(2))
        told.push(decodePing(body).records.some(({ profile, state }) => profile.member === to && state === 'suspect'))
    answer(...others)
  }
  expect(told.length).toBeGreaterThan(5)
  expect(told).not.toContain(false)
})

describe('bounds', () => {
  test('the table holds so many members and no more, and those who are gone make room', () => {
    for (let i = 1; i <= MEMBERS_MAX + 50; i++) membership.met(contact(i))
    expect(membership.views()).toHaveLength(MEMBERS_MAX)
    membership.receive(idOf(7), MESSAGE.leave, new Uint8Array(0))
    membership.met(contact(5000))
    const ids = membership.views().map(({ profile }) => profile.member)
    expect(ids).toHaveLength(MEMBERS_MAX)
    expect(ids).toContain(idOf(5000))
    expect(ids).not.toContain(idOf(7))
  })

  test('a process that is started again and again at one address is one member', () => {
    for (let run = 1; run <= 100; run++) {
      const each = contact(run, '10.0.0.9:7946')
      membership.met(each)
      if (run < 100) membership.lost(each)
    }
    expect(membership.views().map(({ profile }) => profile.member)).toEqual([idOf(100)])
  })

  test('who takes over an address is met before or after the former one is lost: either way that is down, then forgotten', () => {
    const [former, next] = [contact(1, '10.0.0.9:7946'), contact(2, '10.0.0.9:7946')]
    membership.met(former)
    membership.met(next)
    membership.lost(former)
    expect(states).toEqual([`${idOf(1)} up`, `${idOf(2)} up`, `${idOf(1)} down`])
    expect(membership.views().map(({ profile }) => profile.member)).toEqual([idOf(2)])
  })

  test('whoever is met is told of a bounded number of members', () => {
    for (let i = 1; i <= 1000; i++) membership.met(contact(i))
    sent.length = 0
    membership.met(contact(1001))
    expect(sent.filter(({ kind }) => kind === MESSAGE.records).length).toBeLessThan(20)
  })

  test('one message of a peer makes us send one at most', () => {
    for (let i = 1; i <= 20; i++) membership.met(contact(i))
    const records = Array.from({ length: 10 }, (_, i) => record(i + 2, { state: 'suspect' as const }))
    for (const [kind, body] of [
      [MESSAGE.ping, encodePing({ sequence: 1, records: [] })],
      [MESSAGE.pingRequest, encodePingRequest({ sequence: 1, target: idOf(3), records: [] })],
      [MESSAGE.pingRequest, encodePingRequest({ sequence: 1, target: idOf(99), records: [] })],
      [MESSAGE.ack, encodeAck({ sequence: 1, records: [] })],
      [MESSAGE.records, encodeRecords(records)[0] ?? new Uint8Array(0)],
    ] as const) {
      sent.length = 0
      for (let i = 0; i < 100; i++) membership.receive(idOf(1), kind, body)
      expect(sent.length).toBeLessThanOrEqual(100)
    }
  })

  test('200,000 random and damaged bodies change nothing, throw nothing and are counted', () => {
    for (let i = 1; i <= 3; i++) membership.met(contact(i))
    const views = JSON.stringify(membership.views())
    const random = seededRandom(5)
    const good = [
      encodePing({ sequence: 1, records: [record(2), record(3)] }),
      encodeRecords([record(8)])[0] ?? new Uint8Array(0),
    ]
    for (let i = 0; i < 200_000; i++) {
      const body = random.chance(0.5) ? random.bytes(random.below(60)) : random.pick(good).slice()
      if (body.length > 0) body[random.below(body.length)] = random.below(256)
      membership.receive(idOf(random.between(1, 5)), random.pick([2, 3, 4, 5] as const), body)
      if (i % 1000 === 0) sent.length = 0
    }
    expect(malformedCount).toBeGreaterThan(50_000)
    expect(states.filter((state) => !state.endsWith(' up'))).toEqual([])
    expect(JSON.stringify(membership.views().map((view) => ({ ...view, incarnation: 0 })))).toBe(views)
  })
})

describe('time', () => {
  test('a process that was stopped does not take everybody for dead', async () => {
    for (const index of [1, 2]) membership.met(contact(index))
    await pass(2500, 1, 2)
    await env.advance(600)
    states.length = 0
    sent.length = 0
    await stop(60_000)
    await pass(5000, 1, 2)
    expect(states.filter((state) => state.endsWith('down'))).toEqual([])
  })

  /** Timers are late by `ms`, as after SIGSTOP: the clock has gone on when the next one fires. */
  async function stop(ms: number): Promise<void> {
    const clock = env.monotonic
    env.monotonic = () => clock() + ms
    await pass(10, 1, 2)
  }

  test('a member that was given up, not dropped, and is heard again is up again', async () => {
    membership.met(contact(1))
    await pass(20_000)
    expect(states.at(-1)).toBe(`${idOf(1)} down`)
    await pass(5000)
    membership.heard(idOf(1))
    await pass(1000)
    expect(states.at(-1)).toBe(`${idOf(1)} up`)
  })

  test('the round trip is measured at once', async () => {
    membership.met(contact(1))
    await pass(10, 1)
    expect(membership.views()[0]?.roundTripMs).toBe(10)
  })

  test('once closed it neither sends nor counts time', async () => {
    membership.met(contact(1))
    sent.length = 0
    membership.close()
    expect(sent.map(({ kind }) => kind)).toEqual([MESSAGE.leave])
    membership.close()
    membership.receive(idOf(1), MESSAGE.ping, encodePing({ sequence: 1, records: [] }))
    await env.advance(60_000)
    expect(sent).toHaveLength(1)
    expect(env.timerCount).toBe(0)
  })
})
