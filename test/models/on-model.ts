/** Plays a schedule on the model of membership. */
import { compact, mulberry, valueOf, World, type ModelMachine } from './membership.mjs'
import { KEYS, type Step } from './schedules.ts'

/** What is there in the end. */
export interface Outcome {
  /** By key, which writes count: their numbers, in the order in which they were drawn. */
  readonly values: Readonly<Record<string, readonly number[]>>
  /**
   * Writes that a replica could not keep, and said so; and those that a deletion had seen that it could not keep:
   * whoever can issue it again, as an engine may, is right as well.
   */
  readonly reported: readonly number[]
  /** How many replicas each of those that are up knows, itself among them. */
  readonly knownCounts: readonly number[]
}

/** Rounds of digests in which everything has been told that can be. */
const ROUNDS = 12
const REST_ROUNDS = 60

export class OnModel {
  readonly #world: World
  /** By the model's name of a write. */
  readonly #numbers = new Map<string, number>()
  #count = 0

  constructor(machines: number) {
    this.#world = new World(mulberry(1))
    for (let i = 0; i < machines; i++) this.#add()
    this.#settle()
  }

  step(step: Step): void {
    const isOfOne = 'machine' in step && step.kind !== 'write' && step.kind !== 'delete'
    if (isOfOne) this.#befall(this.#machine(step.machine), step)
    else this.#stepOfAll(step)
    this.#settle(step.among)
  }

  #stepOfAll(step: Step): void {
    const world = this.#world
    switch (step.kind) {
      case 'write':
      case 'delete':
        this.#write(this.#machine(step.machine), step.kind, step.key)
        break
      case 'partition':
        for (const machine of world.machines) machine.group = step.group.includes(machine.n) ? 1 : 0
        break
      case 'heal':
        this.#heal()
        break
      case 'compact':
        for (const { S, up } of world.machines) if (up) compact(S)
        break
      case 'newcomer':
        this.#add()
        break
      case 'stranger':
        this.#write(this.#add(), 'write', step.key)
        break
      default:
    }
  }

  #befall(machine: ModelMachine, step: Step): void {
    const world = this.#world
    switch (step.kind) {
      case 'leave':
        world.leave(machine)
        // Who was given up meanwhile, or is alone, has nobody to say it to.
        if (!machine.gone) world.lose(machine)
        break
      case 'death':
        world.lose(machine)
        break
      case 'power failure':
        world.powerFails(machine)
        break
      case 'evict':
        world.evict(this.#machine(step.by), machine.S.id)
        break
      case 'silence':
        this.#silence(machine, step.key)
        break
      default:
      // Who is killed keeps its log and its id, and everything has been told.
    }
  }

  outcome(): Outcome {
    this.#heal()
    this.#world.rest(REST_ROUNDS)
    const up = this.#world.machines.filter((machine) => machine.up)
    this.#world.check(up)
    const [first] = up
    if (first === undefined) throw new Error('nobody is up')
    const values = KEYS.map((key) => [key, this.#numbersOf(valueOf(first.S, key).keys())] as const)
    return {
      values: Object.fromEntries(values),
      reported: this.#numbersOf(this.#undecided()),
      knownCounts: up.map(({ S }) => S.known.size),
    }
  }

  #undecided(): Set<string> {
    const { reported, acked } = this.#world
    return new Set([...reported].flatMap((name) => [name, ...(acked.get(name)?.ghostSeen ?? [])]))
  }

  #add(): ModelMachine {
    const machine = this.#world.add()
    machine.volatile = false
    return machine
  }

  #machine(number: number): ModelMachine {
    const machine = this.#world.machines[number]
    if (machine === undefined) throw new RangeError(`there is no machine ${number}`)
    return machine
  }

  #write(machine: ModelMachine, kind: 'write' | 'delete', key: string): void {
    const world = this.#world
    // The model draws the key of a write.
    world.pick = () => key
    world.data(machine, kind === 'write' ? 'inc' : 'del')
    delete world.pick
    const name = [...world.acked.keys()].at(-1)
    if (name !== undefined) this.#numbers.set(name, this.#count++)
  }

  #heal(): void {
    for (const machine of this.#world.machines) machine.group = 0
  }

  /** The others give it up meanwhile, as engines do by the clock. */
  #silence(machine: ModelMachine, key: string): void {
    const world = this.#world
    this.#heal()
    this.#settle()
    machine.group = 1
    this.#write(machine, 'write', key)
    const others = world.machines.filter((other) => other.up && other !== machine)
    const [by] = others
    if (by !== undefined) {
      this.#write(by, 'write', key)
      this.#settle()
      world.evict(by, machine.S.id)
      this.#settle()
      for (const { S } of others) compact(S)
      this.#settle()
    }
    machine.group = 0
  }

  /** Everybody tells everything to everybody in its group; only those in `among` hear it, if that is given. */
  #settle(among?: readonly number[]): void {
    const world = this.#world
    const hears = ({ n }: ModelMachine): boolean => among?.includes(n) !== false
    for (let round = 0; round < ROUNDS; round++) {
      for (const machine of world.machines.filter(({ up }) => up)) {
        world.sync(machine)
        world.beat(machine)
      }
      for (let frame = world.net.shift(); frame !== undefined; frame = world.net.shift()) {
        const [from, to] = [this.#machine(frame.from), this.#machine(frame.to)]
        if (from.group === to.group && to.up && hears(from) && hears(to)) world.receive(to, frame)
      }
    }
    for (const machine of world.machines) if (machine.up) world.sync(machine)
  }

  #numbersOf(names: Iterable<string>): number[] {
    const numbers = [...names].map((name) => this.#numbers.get(name)).filter((number) => number !== undefined)
    return numbers.sort((a, b) => a - b)
  }
}
