/** What a gateway makes of guests' writes, and when it tells them what. */
import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/open-warp.ts'
import { counter, register, set } from '../../crdt/index.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { GUESTS, type GuestDesk } from '../../src/guests/gateway/guest-desk.ts'
import { Gateway } from '../../src/guests/gateway/gateway.ts'
import { gatewaySettings } from '../../src/guests/gateway/options.ts'
import {
  decodeGatewayFrame,
  encodeGuestFrame,
  type GatewayFrame,
  type PushedOperation,
} from '../../src/guests/frames.ts'
import { memoryGuestLinks, type MemoryLinks } from '../../src/ports/guest-link/memory-guest-link.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { EVERYTHING, guestWorld } from '../support/guests/guest-world.ts'

const KEYS = { 'tags:*': set<string>(), 'user:*': register<string>(), 'hits:*': counter() }
const [G, H] = ['00000000000000aa', '00000000000000bc'] as [ReplicaId, ReplicaId]
const NOTHING = { context: [], dots: [], ownFrom: 0, lifeMs: 0 }

function add(sequence: number, element: string, seen: Partial<PushedOperation> = {}): PushedOperation {
  return {
    sequence,
    key: 'tags:1',
    kind: 1,
    strategy: KEYS['tags:*'].code,
    payload: payloadOf('add', element),
    ...NOTHING,
    ...seen,
  }
}

function remove(sequence: number, element: string, seen: Partial<PushedOperation> = {}): PushedOperation {
  return { ...add(sequence, element, seen), payload: payloadOf('remove', element) }
}

/** What the verb makes of a set that holds the element. */
function payloadOf(verb: 'add' | 'remove', element: string): PushedOperation['payload'] {
  const { verbs, initial, apply } = KEYS['tags:*']
  const prepare = (state: unknown) => ({ replica: G, sequence: 1, state: () => state as never })
  const added = verbs.add(prepare(initial()), element)
  if (verb === 'add') return added
  const stamp = { hlc: 1, replica: G, sequence: 1, observed: () => false }
  return verbs.remove(prepare(apply(initial(), { payload: added as never, ...stamp })), element)
}

async function withDesk(
  run: (desk: GuestDesk, value: () => string[], compact: () => Promise<unknown>) => Promise<void>,
) {
  const keys = { 'tags:*': { strategy: KEYS['tags:*'], retain: 'latest' } } as const
  const warp = await openWarp({ keys, env: virtualEnv() })
  const desk = (warp as unknown as { [GUESTS](): GuestDesk })[GUESTS]()
  const value = (): string[] => [...(warp.peek('tags:1') ?? [])].sort()
  await run(desk, value, () => warp.compact())
  await warp.close()
}

function accept(desk: GuestDesk, guest: ReplicaId, operation: PushedOperation) {
  return desk.accept({ guest, principal: 'p', operation, seen: new VersionVector() })
}

test('a removal spares what another guest of the same gateway has written meanwhile', () =>
  withDesk((desk, value) => {
    const { replica, sequence } = accept(desk, G, add(1, 'a'))
    accept(desk, H, add(1, 'a'))
    accept(desk, G, remove(2, 'a', { context: [[replica, sequence]] }))
    expect(value()).toEqual(['a'])
    return Promise.resolve()
  }))

test('a removal takes away what the same guest had added before, though others wrote in between', () =>
  withDesk((desk, value) => {
    accept(desk, H, add(1, 'b'))
    accept(desk, G, add(1, 'a'))
    accept(desk, H, add(2, 'b'))
    accept(desk, G, remove(2, 'a', { ownFrom: 1 }))
    expect(value()).toEqual(['b'])
    return Promise.resolve()
  }))

test('a delete that had not seen what has been compacted is refused, and one that had is not', () =>
  withDesk(async (desk, value, compact) => {
    const first = accept(desk, G, add(1, 'a'))
    const second = accept(desk, H, add(1, 'a'))
    await compact()
    const deleted = (sequence: number, dot: typeof first): PushedOperation => {
      const seen = { context: [[dot.replica, dot.sequence]] as const }
      return { ...add(sequence, 'a', seen), kind: OPERATION_KIND.delete, strategy: 0, payload: undefined }
    }
    expect(() => accept(desk, G, deleted(2, first))).toThrow(expect.objectContaining({ code: 'WARP_E_REJECTED' }))
    expect(value()).toEqual(['a'])
    accept(desk, G, deleted(3, second))
    expect(value()).toEqual([])
  }))

interface RawGuest {
  readonly frames: GatewayFrame[]
  readonly links: MemoryLinks
  push(...operations: readonly PushedOperation[]): void
}

function rawGuest(env: VirtualEnv, gateway: Gateway<string>): RawGuest {
  const links = memoryGuestLinks(env)
  const frames: GatewayFrame[] = []
  gateway.connect(links.ends[1], 'raw')
  const [link] = links.ends
  link.open({
    receive: (bytes) => void frames.push(decodeGatewayFrame(bytes)),
    drained: () => undefined,
    closed: () => undefined,
  })
  link.send(encodeGuestFrame({ kind: 'hello', guest: G, token: '', patterns: ['*'], seen: [], pinned: '' }))
  const push: RawGuest['push'] = (...operations) =>
    void link.send(encodeGuestFrame({ kind: 'push', seen: [], unansweredFrom: 1, operations }))
  return { frames, links, push }
}

test.each([
  ['a write is answered when it outlives the process, and not before', 'logged', 'answers'],
  ['nothing is sent that this process could still lose', 'sendable', 'states'],
] as const)('%s', async (_, wait, kind) => {
  const env = virtualEnv()
  const warp = await openWarp({ keys: KEYS, env })
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const desk = (warp as unknown as { [GUESTS](): GuestDesk })[GUESTS]()
  let isSlow = false
  desk[wait] = () => (isSlow ? held : Promise.resolve())
  const gateway = new Gateway<string>({ [GUESTS]: () => desk }, gatewaySettings<string>({ authorize: EVERYTHING }))
  const { frames, push } = rawGuest(env, gateway)
  await env.advance(10)
  // From here on the disk takes its time.
  isSlow = true
  push(add(1, 'a'))
  await env.advance(10)
  expect(warp.peek('tags:1')).toEqual(new Set(['a']))
  expect(frames.map((frame) => frame.kind)).not.toContain(kind)
  release()
  await env.advance(10)
  expect(frames.map((frame) => frame.kind)).toContain(kind)
  await gateway.close()
  await warp.close()
})

test('a guest that is cut off while it is sent its keys is sent the rest when it comes back', async () => {
  const { places, visit, run, close } = await guestWorld(KEYS)
  const big = 'x'.repeat(100_000)
  const { warp } = places[0]!
  for (let i = 0; i < 60; i++) await warp.set(`user:${i}` as const, big)
  // The link is full after some of them.
  const visitor = visit(0)
  for (let tries = 0; visitor.guest.keys().length === 0 && tries < 100; tries++) await run(1)
  expect(visitor.guest.keys().length).toBeLessThan(60)
  visitor.cut()
  await run(5000)
  expect(visitor.guest.keys()).toHaveLength(60)
  await close()
})

test('a change of one key is sent to all guests that ask for it, and encoded once', async () => {
  const { places, visit, run, close } = await guestWorld(KEYS)
  const visitors = Array.from({ length: 50 }, () => visit(0))
  await run(100)
  await places[0]!.warp.set('user:1', 'x')
  await run(20)
  expect(visitors.map(({ guest }) => guest.peek('user:1'))).toEqual(visitors.map(() => 'x'))
  await close()
})

test('a gateway that closes answers what it has taken, and its guests go elsewhere', async () => {
  const { places, visit, run, close } = await guestWorld(KEYS, { places: 2 })
  await run(3000)
  const visitor = visit(0)
  await run(50)
  const { accepted } = visitor.guest.set('user:1', 'x')
  await run(1)
  visitor.at = 1
  const closing = places[0]!.gateway.close()
  await run(2000)
  await closing
  expect(await accepted).toMatchObject({ replica: places[0]!.warp.replica })
  expect(visitor.guest.status().connection).toBe('live')
  await close()
})

test('a guest that says what no guest says, asks for too much or is silent is cut off, and nobody else', async () => {
  const { env, places, visit, run, close } = await guestWorld(KEYS, {
    gateway: { limits: { heartbeatMs: 1000, guestsMax: 3 } },
  })
  const { gateway, events } = places[0]!
  const other = visit(0)
  await run(20)
  const malformed = rawGuest(env, gateway)
  malformed.links.ends[0].send(new Uint8Array([1, 2, 3]))
  await run(20)
  const silent = rawGuest(env, gateway)
  expect(gateway.guestsCount).toBe(2)
  await run(5000)
  expect(gateway.guestsCount).toBe(1)
  expect(silent.frames[0]).toMatchObject({ kind: 'welcome' })
  expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['guest:refused', 'guest:disconnected']))
  expect(other.guest.status().connection).toBe('live')
  await close()
})
