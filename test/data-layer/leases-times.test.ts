/** How long a lease has left, as replicas tell each other: the directed schedules of the model, without a network. */
import { expect, test } from 'vitest'
import type { Dot } from '../../crdt/time/dot.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { LeaseTimes } from '../../src/data-layer/leases/lease-times.ts'
import type { LeaseLeft } from '../../src/ports/talk/lease-times.ts'
import type { EnteredLeaseNote } from '../../src/operation/leases/lease-note.ts'
import { LeaseBook } from '../../src/store/aside/lease-book.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

const [A, B, C] = ['0a', '0b', '0c'].map((digits) => parseReplicaId(`00000000000000${digits}`)) as [
  Dot['replica'],
  Dot['replica'],
  Dot['replica'],
]
const LEASE = '00112233445566ff'
const TTL = 1000

class Replica {
  readonly times: LeaseTimes
  readonly expired: string[] = []
  readonly #book = new LeaseBook()
  hasEnded = false
  isSenior = true

  readonly #env: VirtualEnv

  constructor(env: VirtualEnv, self: Dot['replica']) {
    this.#env = env
    this.times = new LeaseTimes({
      ...{ env, book: this.#book, self: () => self },
      hasEnded: () => this.hasEnded,
      isSenior: () => this.isSenior,
      expire: (lease) => {
        this.expired.push(lease)
        this.enter({ kind: 'end', lease, reason: 'expired', dot: { replica: self, sequence: 100 } })
      },
    })
  }

  enter(note: EnteredLeaseNote): void {
    if (this.#book.take({ ...note, position: 0 })) this.times.entered(note)
  }

  /** What the other one says, at once. */
  hear(other: Replica): void {
    this.heard(other.asked())
  }

  /** What it would say, to one who has asked just now. */
  asked(): { readonly lefts: readonly LeaseLeft[]; readonly askedMs: number } {
    return { lefts: this.times.leftOf([LEASE]), askedMs: this.#env.monotonic() }
  }

  heard({ lefts, askedMs }: ReturnType<Replica['asked']>): void {
    this.times.hear(lefts, askedMs)
  }

  get isShown(): boolean {
    return !this.times.hides('k')
  }
}

function replicas(): {
  env: VirtualEnv
  a: Replica
  b: Replica
  c: Replica
  all: Replica[]
  renew: (n: number) => void
} {
  const env = virtualEnv()
  const all = [A, B, C].map((self) => new Replica(env, self))
  const [a, b, c] = all as [Replica, Replica, Replica]
  const enter = (note: EnteredLeaseNote): void => {
    for (const replica of all) replica.enter(note)
  }
  enter({ kind: 'grant', lease: LEASE, ttlMs: TTL, dot: { replica: A, sequence: 1 } })
  enter({ kind: 'attach', lease: LEASE, of: 'key', target: 'k', dot: { replica: A, sequence: 2 } })
  const renew = (sequence: number): void => enter({ kind: 'renew', lease: LEASE, dot: { replica: A, sequence } })
  return { env, a, b, c, all, renew }
}

test('an owner that dies after a renewal: those who tell each other of it do not keep the lease alive', async () => {
  const { env, a, b, c } = replicas()
  b.hear(a)
  c.hear(a)
  expect([b.isShown, c.isShown]).toEqual([true, true])
  for (let i = 0; i < 20; i++) {
    const [ofB, ofC] = [b.asked(), c.asked()]
    await env.advance(100)
    b.heard(ofC)
    c.heard(ofB)
  }
  expect([b.isShown, c.isShown]).toEqual([false, false])
  expect([b.expired, c.expired]).toEqual([[], []])
})

test('a renewal that is known, and of which nobody has said what is left, neither hides keys nor ends the lease', async () => {
  const { env, a, b, renew } = replicas()
  b.hear(a)
  await env.advance(TTL / 2)
  renew(3)
  b.hasEnded = true
  expect(b.isShown).toBe(true)
  expect(b.times.leftOf([LEASE])).toEqual([])
  expect(b.times.unknown(10)).toEqual([{ lease: LEASE, owner: A }])
  await env.advance(TTL / 2)
  expect([b.isShown, b.expired]).toEqual([false, []])
  b.hear(a)
  expect(b.isShown).toBe(true)
  await env.advance(TTL / 2)
  expect([b.isShown, b.expired]).toEqual([true, [LEASE]])
})

test('an answer that comes late counts from when it was asked for, and of two the one that gives more', async () => {
  const { env, a, b } = replicas()
  await env.advance(TTL / 4)
  const early = b.asked()
  const asked = a.asked()
  await env.advance(TTL / 4)
  b.heard(early)
  expect(b.isShown).toBe(false)
  // The process of b was suspended meanwhile, or the message was.
  await env.advance(TTL / 4)
  b.heard(asked)
  expect(b.isShown).toBe(true)
  b.heard({ ...asked, askedMs: asked.askedMs - TTL / 4 })
  await env.advance(TTL / 4 - 1)
  expect(b.isShown).toBe(true)
  await env.advance(1)
  expect(b.isShown).toBe(false)
  b.heard(asked)
  expect(b.isShown).toBe(false)
})

test('what is said of a renewal that has not come yet counts from when it was asked for', async () => {
  const { env, a, b } = replicas()
  const renewal = { kind: 'renew', lease: LEASE, dot: { replica: A, sequence: 3 } } as const
  await env.advance(TTL / 2)
  a.enter(renewal)
  b.hear(a)
  expect(b.isShown).toBe(false)
  await env.advance(TTL / 4)
  b.enter(renewal)
  expect(b.isShown).toBe(true)
  await env.advance((TTL * 3) / 4)
  expect(b.isShown).toBe(false)
})

test('others wait for the member with the least id, and not for ever', async () => {
  const { env, a, b, c, all } = replicas()
  for (const replica of all) replica.hear(a)
  b.hasEnded = c.hasEnded = true
  b.isSenior = c.isSenior = false
  await env.advance(TTL + 1000)
  expect([a.expired, b.expired, c.expired]).toEqual([[LEASE], [], []])
  await env.advance(60_000)
  expect(b.expired).toEqual([LEASE])
})
