/**
 * Case N4: a hundred leases while machines fail, on virtual time. Each of three machines owns a third of
 * them, and renews each of its own every 1.5 s of the 5 s that it lives. Each machine in turn is killed,
 * suspended and cut off, its clock is set an hour forward and back, and its disk stands still, or is full.
 *
 * A lease *lives* where its key is shown. All the time, on every machine that runs:
 *
 * 1. no lease ends that its owner has renewed within its time;
 * 2. no key is shown for longer than that after the last renewal, however late messages come;
 * 3. a renewal that fails may be tried again until the time is over, and not after that;
 * 4. each process is told of the end of each lease once, with the reason.
 */
import { afterEach, expect, test } from 'vitest'
import { register } from '../../crdt/register.ts'
import type { WarpEvent } from '../../adapters/node/index.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { Machines, type AnyWarp, type Machine } from './machines.ts'

const LEASES = 100
const TTL_MS = 5000
const RENEW_MS = 1500
const AGAIN_MS = 300
const DELAY_MS = 5
/** A look at the clock is as old as that at most. */
const BOUND_MS = 1
const LOOK_MS = 100
/** The default of `clockDriftMsMax`. */
const DRIFT_MS = 60_000

interface Held {
  readonly id: string
  readonly key: string
  readonly owner: string
  /** When it was last renewed, as far as its owner knows. */
  renewedMs: number
  /** Whether all renewals since then have been refused. */
  isRefused: boolean
  hasEnded: boolean
}

class Leases {
  readonly machines: Machines
  readonly held = new Map<string, Held>()
  readonly wrong: string[] = []
  /** Times that each process was told of each end: `machine lease`. */
  readonly told = new Map<string, string[]>()
  /** Renewals that a full disk refused, and leases that were refused since they were over. */
  refusalsCount = 0
  overCount = 0
  readonly revoked = new Set<string>()
  shownCount = 0
  endedCount = 0

  readonly #clockDriftMsMax: number

  constructor(clockDriftMsMax: number, delayMs = DELAY_MS) {
    this.machines = new Machines({ seed: 4, delayMs })
    this.#clockDriftMsMax = clockDriftMsMax
    for (const name of ['a', 'b', 'c']) this.add(name)
  }

  add(name: string): Machine {
    return this.machines.add(name, {
      open: () => ({
        keys: { 'k:*': { strategy: register<string>(), load: (key: string) => `of ${key}` } },
        clockDriftMsMax: this.#clockDriftMsMax,
      }),
      // Small, so that a full disk is noticed.
      segmentBytes: 8192,
      observe: (machine, event) => this.#observed(machine, event),
      run: (machine, warp, life) => {
        const loop = (everyMs: number, work: () => void): void => {
          life.schedule(everyMs, () => {
            if (machine.warp !== warp && machine.warp !== undefined) return
            work()
            loop(everyMs, work)
          })
        }
        loop(RENEW_MS, () => this.#renewAll(machine, warp))
        loop(AGAIN_MS, () => this.#renewAgain(machine, warp))
        loop(500, () => this.#readAll(warp))
      },
    })
  }

  async start(): Promise<void> {
    for (const machine of this.machines.all) void machine.start()
    await this.advance(5000)
    for (let i = 0; i < LEASES; i++) void this.#grant(this.machines.all[i % 3] as Machine, `k:${i}`)
    await this.advance(2000)
    this.expectAllShown()
  }

  /** Time goes on, and everything is looked at all the time. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      await this.machines.advance(Math.min(left, LOOK_MS))
      this.#look()
    }
  }

  expectAllShown(): void {
    expect(this.wrong).toEqual([])
    const alive = [...this.held.values()].filter(({ hasEnded }) => !hasEnded)
    expect(alive).toHaveLength(LEASES)
    for (const { name, warp } of this.machines.all)
      expect([name, alive.filter(({ key }) => warp?.peek(key) !== undefined).length]).toEqual([name, LEASES])
  }

  #look(): void {
    const { nowMs } = this.machines
    for (const { name, warp } of this.machines.all) {
      if (warp === undefined) continue
      for (const lease of this.held.values()) {
        if (lease.hasEnded || warp.peek(lease.key) === undefined) continue
        this.shownCount++
        const ageMs = nowMs - lease.renewedMs
        if (ageMs > TTL_MS + BOUND_MS) this.wrong.push(`${name} shows ${lease.key} ${ageMs} ms after its renewal`)
      }
    }
  }

  #observed(machine: Machine, event: WarpEvent): void {
    if (event.kind !== 'lease:ended') return
    const place = `${machine.name}/${machine.livesCount} ${event.lease}`
    const before = this.told.get(place)
    if (before !== undefined) this.wrong.push(`${place} has ended ${before.length + 1} times`)
    this.told.set(place, [...(before ?? []), event.reason])
    const isRevoked = this.revoked.has(event.lease)
    if (isRevoked !== (event.reason === 'revoked')) this.wrong.push(`${place} has ended: ${event.reason}`)
    const lease = this.held.get(event.lease)
    if (lease === undefined || lease.hasEnded) return
    lease.hasEnded = true
    this.endedCount++
    const ageMs = this.machines.nowMs - lease.renewedMs
    if (isRevoked) return
    if (event.reason !== 'expired') this.wrong.push(`${lease.key} has ended: ${event.reason}`)
    else if (ageMs < TTL_MS) this.wrong.push(`${lease.key} has ended ${ageMs} ms after its renewal`)
  }

  async #grant(machine: Machine, key: string): Promise<void> {
    const { warp } = machine
    if (warp === undefined) return
    const { id } = await warp.leases.grant({ ttlMs: TTL_MS })
    this.held.set(id, {
      ...{ id, key, owner: machine.name, renewedMs: this.machines.nowMs, isRefused: false, hasEnded: false },
    })
    await warp.leases.attach(id, key)
  }

  #renewAll(machine: Machine, warp: AnyWarp): void {
    for (const lease of [...this.held.values()]) if (lease.owner === machine.name) this.#renew(lease, machine, warp)
  }

  #renewAgain(machine: Machine, warp: AnyWarp): void {
    for (const lease of [...this.held.values()])
      if (lease.owner === machine.name && lease.isRefused) this.#renew(lease, machine, warp)
  }

  /** Nobody waits for a disk that stands still: what is renewed is renewed at once. */
  #renew(lease: Held, machine: Machine, warp: AnyWarp): void {
    const beforeMs = lease.renewedMs
    const nowMs = this.machines.nowMs
    lease.isRefused = false
    const renewing = warp.leases.renew(lease.id)
    if (!lease.hasEnded) lease.renewedMs = nowMs
    renewing.catch((error: unknown) => {
      if (lease.renewedMs === nowMs) lease.renewedMs = beforeMs
      if (!isWarpError(error, 'WARP_E_LEASE')) {
        this.refusalsCount++
        lease.isRefused = true
        return
      }
      this.overCount++
      if (this.revoked.has(lease.id)) return
      // It is over, and another one takes its place.
      if (nowMs - beforeMs < TTL_MS)
        this.wrong.push(`${lease.key} was refused ${nowMs - beforeMs} ms after its renewal`)
      this.held.delete(lease.id)
      void this.#grant(machine, lease.key).catch(() => undefined)
    })
  }

  #readAll(warp: AnyWarp): void {
    for (const { key } of this.held.values()) warp.get(key).catch(() => undefined)
  }
}

let leases: Leases

afterEach(async () => {
  await leases.machines.close()
})

type Fault = readonly [name: string, strike: (machine: Machine, machines: Machines) => Promise<void> | void, ms: number]

const FAULTS: readonly Fault[] = [
  ['is killed, and soon back', (machine) => machine.kill(), 2000],
  ['is killed, and back when its leases have run out', (machine) => machine.kill(), 12_000],
  ['is suspended for a moment', (machine) => machine.pause(), 2000],
  ['is suspended for longer than its leases live', (machine) => machine.pause(), 12_000],
  ['is cut off', (machine, machines) => machines.isolate(machine), 12_000],
  ['has a disk that stands still for 10 s', (machine) => machine.blockDisk(), 10_000],
]

test.each(FAULTS)(
  'each machine in turn %s',
  async (_, strike, ms) => {
    leases = new Leases(DRIFT_MS)
    await leases.start()
    const { machines } = leases
    for (const machine of machines.all) {
      await strike(machine, machines)
      await leases.advance(ms)
      machine.resume()
      machine.freeDisk()
      machine.emptyDisk()
      machines.network.heal()
      if (machine.warp === undefined) void machine.start()
      await leases.advance(12_000)
      leases.expectAllShown()
    }
  },
  120_000,
)

test('each machine in turn is suspended, while the owner of leases renews them and is killed', async () => {
  // So slow that something is always under way.
  leases = new Leases(DRIFT_MS, 400)
  await leases.start()
  const { machines } = leases
  for (const [i, machine] of machines.all.entries()) {
    const owner = machines.all[(i + 1) % 3] as Machine
    machine.pause()
    await leases.advance(4000)
    owner.kill()
    await leases.advance(8000)
    // What was said of the leases waits in its sockets.
    machine.resume()
    await leases.advance(8000)
    void owner.start()
    await leases.advance(12_000)
    leases.expectAllShown()
  }
}, 120_000)

test.each([
  ['for less than its leases live: they are renewed in time', 4000, false],
  ['for longer than that: they are over', 14_000, true],
])(
  'each machine in turn has a full disk %s',
  async (_, ms, isOver) => {
    leases = new Leases(DRIFT_MS)
    await leases.start()
    for (const machine of leases.machines.all) {
      leases.refusalsCount = leases.overCount = 0
      machine.fillDisk(0)
      // Until nothing fits any more.
      for (let i = 0; i < 1000 && leases.refusalsCount === 0; i++) await leases.advance(100)
      await leases.advance(ms - 1000)
      machine.emptyDisk()
      await leases.advance(12_000)
      leases.expectAllShown()
      expect(leases.refusalsCount).toBeGreaterThan(30)
      expect(leases.overCount > 0).toBe(isOver)
    }
  },
  120_000,
)

test('each end is told once in each process, with the reason, also where it is heard of late', async () => {
  leases = new Leases(DRIFT_MS)
  await leases.start()
  const { machines, held, revoked, told } = leases
  const [a, b, c] = machines.all as [Machine, Machine, Machine]
  const ids = [...held.keys()]
  // c hears of the first half when it is back, b is killed in the middle, and d joins when all is over.
  machines.isolate(c)
  for (const [i, id] of ids.entries()) {
    revoked.add(id)
    await Promise.all([(i % 2 === 0 ? a : b).warp?.leases.revoke(id), leases.advance(10)])
    if (i === 50) machines.network.heal()
    if (i === 70) {
      // What it has heard is in its log: else the next process hears of it again.
      await leases.advance(2000)
      b.kill()
      await leases.advance(1000)
      void b.start()
      await leases.advance(2000)
    }
  }
  await leases.advance(5000)
  const d = leases.add('d')
  void d.start()
  await leases.advance(10_000)
  expect(leases.wrong).toEqual([])
  for (const machine of [a, c]) expect(endsOf(machine)).toEqual(ids.map(() => 'revoked'))
  // The process that was killed was told of the first ones, and the next one of the others.
  expect(ids.map((id) => [1, 2].flatMap((life) => told.get(`b/${life} ${id}`) ?? []))).toEqual(
    ids.map(() => ['revoked']),
  )
  // What is over for everybody is nobody's affair; of the rest who joins is told once.
  expect(new Set(endsOf(d))).toEqual(new Set(['revoked']))
  for (const { warp } of machines.all) {
    expect(warp?.leases.list()).toEqual([])
    expect(warp?.stats().leases?.leasesCount).toBe(0)
  }

  function endsOf({ name, livesCount }: Machine): string[] {
    return ids.flatMap((id) => told.get(`${name}/${livesCount} ${id}`) ?? [])
  }
}, 120_000)

const HOUR_MS = 3_600_000

test.each([
  ['others take in what it writes meanwhile', 3 * HOUR_MS, true],
  ['others do not take in what it writes meanwhile', DRIFT_MS, false],
])(
  'each machine in turn has its clock set an hour forward and back, and %s',
  async (_, driftMs, isTakenIn) => {
    leases = new Leases(driftMs)
    await leases.start()
    const { machines } = leases
    for (const machine of machines.all) {
      for (const stepMs of [HOUR_MS, -2 * HOUR_MS, HOUR_MS]) {
        machine.clock.jump(stepMs)
        await leases.advance(6000)
        if (isTakenIn) leases.expectAllShown()
        // Those that its clock parts from it are hidden, and nothing has ended.
        else expect(leases.wrong).toEqual([])
      }
      expect(leases.endedCount).toBe(0)
    }
  },
  120_000,
)
