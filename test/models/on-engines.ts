/** Plays a schedule on engines, on the machines and the network of the simulator, which do no harm here. */
import { register, set } from '../../crdt/index.ts'
import type { Warp } from '../../src/api/public.ts'
import type { Machine } from '../../testing/simulation/machine.ts'
import { World } from '../../testing/simulation/world.ts'
import type { Outcome } from './on-model.ts'
import { KEYS, type Step } from './schedules.ts'

const ELEMENTS = { strategy: set<number>(), retain: 'latest' as const }
const KEY_MAP = { x: ELEMENTS, y: ELEMENTS, round: { strategy: register<number>(), retain: 'latest' as const } }
/** For whom nobody waits any longer. No schedule is so long otherwise. */
const HORIZON_MS = 600_000
/** By then everything has been told that can be. */
const SETTLE_MS = 8000
const REST_ROUNDS = 8

export class OnEngines {
  readonly #world: World
  /** Who hears only each other; empty while all do. */
  #group: readonly number[] = []
  /** Who alone hears each other for now; all do if it is absent. */
  #among: readonly number[] | undefined
  #cuts: readonly (readonly [string, string])[] = []
  #count = 0

  private constructor(seed: number | string, machines: number) {
    this.#world = new World({
      ...{ seed, keys: KEY_MAP, machines, checkers: [], keepsSteps: false },
      ...{ segmentBytes: 16_384, cacheEntriesMax: 1000 },
      replication: { digestIntervalMs: 500, peerSilentMs: 2500, horizonMs: HORIZON_MS, awayMs: HORIZON_MS },
    })
    this.#world.onStuck = ({ name }, code) => {
      throw new Error(`${name} cannot go on: ${code}`)
    }
  }

  static async of(seed: number | string, machines: number): Promise<OnEngines> {
    const engines = new OnEngines(seed, machines)
    for (const machine of engines.#world.machines) await engines.#drive(machine.start())
    await engines.#pass(SETTLE_MS)
    return engines
  }

  async step(step: Step): Promise<void> {
    const isOfOne = 'machine' in step && step.kind !== 'write' && step.kind !== 'delete'
    this.#among = step.among
    this.#cut(this.#group)
    if (isOfOne) await this.#befall(this.#machine(step.machine), step)
    else await this.#stepOfAll(step)
    await this.#pass(SETTLE_MS)
  }

  async #stepOfAll(step: Step): Promise<void> {
    switch (step.kind) {
      case 'write':
      case 'delete':
        await this.#write(this.#machine(step.machine), step.kind, step.key)
        break
      case 'partition':
        this.#cut(step.group)
        break
      case 'heal':
        this.#cut([])
        break
      case 'compact':
        for (const machine of this.#alive) await this.#drive(warpOf(machine).compact())
        break
      case 'newcomer':
        await this.#add()
        break
      case 'stranger':
        await this.#stranger(step.key)
        break
      default:
    }
  }

  async #befall(machine: Machine, step: Step): Promise<void> {
    switch (step.kind) {
      case 'leave':
        await this.#drive(machine.leave(true))
        break
      case 'death':
        machine.hasLeft = true
        machine.end('killed')
        break
      case 'kill':
        await this.#restart(machine, 'killed')
        break
      case 'power failure':
        await this.#restart(machine, 'power failure')
        break
      case 'evict':
        await this.#evict(this.#machine(step.by), machine)
        break
      case 'silence':
        await this.#silence(machine, step.key)
        break
      default:
    }
  }

  async outcome(): Promise<Outcome> {
    this.#cut([])
    await this.#pass(SETTLE_MS)
    for (let round = 0; round < REST_ROUNDS; round++) {
      await this.#pass(HORIZON_MS)
      for (const machine of this.#alive) await this.#drive(warpOf(machine).set('round', round))
      await this.#pass(SETTLE_MS)
      for (const machine of this.#alive) await this.#drive(warpOf(machine).compact())
      await this.#pass(SETTLE_MS)
      if (this.#knownCounts().every((count) => count === this.#alive.length)) break
    }
    const values: Record<string, readonly number[]> = {}
    for (const key of KEYS) values[key] = await this.#valueOf(key)
    return { values, reported: [], knownCounts: this.#knownCounts() }
  }

  async close(): Promise<void> {
    for (const machine of this.#alive) await this.#drive(machine.close())
  }

  get #alive(): Machine[] {
    return this.#world.machines.filter(({ hasLeft }) => !hasLeft)
  }

  #machine(number: number): Machine {
    const machine = this.#world.machines[number]
    if (machine === undefined) throw new RangeError(`there is no machine ${number}`)
    return machine
  }

  #knownCounts(): number[] {
    return this.#alive.map(
      (machine) =>
        warpOf(machine)
          .replicas()
          .filter(({ operationsCount }) => operationsCount > 0).length,
    )
  }

  /** The same at all of them. */
  async #valueOf(key: string): Promise<readonly number[]> {
    const all: number[][] = []
    for (const machine of this.#alive) {
      const value = (await this.#drive(warpOf(machine).get(key))) as ReadonlySet<number> | undefined
      all.push([...(value ?? [])].sort((a, b) => a - b))
    }
    const [first = []] = all
    const other = all.find((value) => value.join() !== first.join())
    if (other !== undefined) throw new Error(`engines disagree about ${key}: ${first.join()} and ${other.join()}`)
    return first
  }

  async #add(): Promise<Machine> {
    const machine = this.#world.add()
    this.#cut(this.#group)
    await this.#drive(machine.start())
    return machine
  }

  /** It writes while it hears nobody. */
  async #stranger(key: string): Promise<void> {
    const machine = this.#world.add()
    const others = this.#world.machines.filter((other) => other !== machine)
    const pairs = others.flatMap(({ name }) => [[name, machine.name] as const, [machine.name, name] as const])
    this.#world.wire.cut(pairs)
    await this.#drive(machine.start())
    await this.#write(machine, 'write', key)
    this.#world.wire.mend(pairs)
    this.#cut(this.#group)
  }

  async #write(machine: Machine, kind: 'write' | 'delete', key: string): Promise<void> {
    const number = this.#count++
    const warp = warpOf(machine)
    if (kind === 'delete') await this.#drive(warp.delete(key, { ack: 'durable' }))
    else
      await this.#drive(
        (warp as unknown as Warp<typeof KEY_MAP>)
          .key(key as 'x')
          .with({ ack: 'durable' })
          .add(number),
      )
  }

  async #evict(by: Machine, machine: Machine): Promise<void> {
    const evicted = warpOf(by).evict(warpOf(machine).replica, { force: true })
    // Who has never heard of it, or has heard that it was given up, cannot do so.
    await this.#drive(evicted.catch(() => undefined))
  }

  async #restart(machine: Machine, ending: 'killed' | 'power failure'): Promise<void> {
    machine.end(ending)
    await this.#drive(machine.start())
  }

  async #silence(machine: Machine, key: string): Promise<void> {
    this.#cut([])
    await this.#pass(SETTLE_MS)
    this.#cut([this.#world.machines.indexOf(machine)])
    await this.#write(machine, 'write', key)
    const others = this.#alive.filter((other) => other !== machine)
    const [by] = others
    if (by !== undefined) {
      await this.#write(by, 'write', key)
      await this.#pass(HORIZON_MS + SETTLE_MS)
      for (const other of others) await this.#drive(warpOf(other).compact())
      await this.#pass(SETTLE_MS)
    }
    this.#cut([])
  }

  /** Those in the group hear each other only, and so do the others; of both only who is among those that hear. */
  #cut(group: readonly number[]): void {
    const { machines, wire } = this.#world
    const isCut = (a: number, b: number): boolean =>
      group.includes(a) !== group.includes(b) ||
      this.#among?.includes(a) === false ||
      this.#among?.includes(b) === false
    const cuts = machines.flatMap((a, i) =>
      machines.flatMap((b, j) => (i !== j && isCut(i, j) ? [[a.name, b.name] as const] : [])),
    )
    const kept = new Set(cuts.map(String))
    wire.mend(this.#cuts.filter((pair) => !kept.has(String(pair))))
    wire.cut(cuts)
    this.#cuts = cuts
    this.#group = group
  }

  #pass(ms: number): Promise<void> {
    return this.#world.advanceTo(this.#world.nowMs + ms)
  }

  /** Lets time pass until the promise has settled. */
  async #drive<Result>(promise: Promise<Result>): Promise<Result> {
    let isDone = false
    const done = (): void => {
      isDone = true
    }
    promise.then(done, done)
    while (!isDone) await this.#pass(10)
    return promise
  }
}

function warpOf({ name, warp }: Machine): NonNullable<Machine['warp']> {
  if (warp === undefined) throw new Error(`${name} is not up`)
  return warp
}
