/**
 * Lets the planned faults happen while their time lasts, brings back who died, and makes everything
 * good in the end.
 */
import { seededRandom, type Random } from '../../world/random.ts'
import { type FaultContext, logUniform } from './fault.ts'
import { faultOf, type PlannedFault } from './fault-plan.ts'
import { OLD_REFUSED, WAY_BACK_REFUSED } from '../report/version-counts.ts'
import { LATER_FORMAT } from './mixed-versions.ts'
import type { Machine } from '../machine.ts'
import type { World } from '../world.ts'

/** After an I/O error somebody restarts the process. */
const REPAIR_MS = [100, 3000] as const
const HEALED_FLUSH_MS = 1

export class FaultDriver {
  readonly #world: World
  readonly #random: Random
  readonly #undos = new Set<() => void>()
  #endMs = 0

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork('repairs')
    world.onDeath = (machine) => this.#restart(machine, logUniform(this.#random, 10, 10_000))
    world.onStuck = (machine, code) => this.#stuck(machine, code)
  }

  begin(plan: readonly PlannedFault[], endMs: number): void {
    this.#endMs = endMs
    for (const { kind, everyMs } of plan) {
      this.#world.history.planned.add(kind)
      // Of the seed and the kind alone, so that leaving out another kind leaves this one as it was.
      const random = seededRandom(`${this.#world.options.seed} ${kind}`)
      const context: FaultContext = {
        ...{ world: this.#world, random, endMs },
        restart: (machine, afterMs) => this.#restart(machine, afterMs),
        until: (afterMs, undo) => this.#until(afterMs, undo),
      }
      const fault = faultOf(kind)
      fault.begin?.(context)
      if (fault.strike === undefined) this.#world.steady.add(kind)
      if (fault.strike !== undefined) this.#next(context, fault.strike, everyMs)
    }
  }

  /**
   * No more faults, and what they did to the surroundings is undone. Data that is lost stays lost.
   */
  heal(): void {
    const { wire, machines, history, nowMs: healedMs } = this.#world
    history.healedMs = healedMs
    this.#world.steady.clear()
    for (const undo of this.#undos) undo()
    this.#undos.clear()
    wire.heal()
    this.#world.order?.heal()
    const nowMs = Math.max(...machines.map(({ clock }) => Math.max(clock.latestMs, clock.wallMs))) + 1000
    for (const machine of machines) {
      machine.clock.drift(0)
      machine.clock.set(nowMs)
      machine.disk.spaceBytes = Infinity
      machine.disk.mend()
      machine.flushMs = HEALED_FLUSH_MS
      machine.stepsToDeath = undefined
      machine.life?.dieAfter(Infinity)
      machine.resume()
      this.#restart(machine, 0)
    }
  }

  #next(context: FaultContext, strike: (context: FaultContext) => boolean, everyMs: number): void {
    const waitMs = -Math.log(1 - context.random.float()) * everyMs
    if (this.#world.nowMs + waitMs >= this.#endMs) return
    this.#world.after(waitMs, () => {
      strike(context)
      this.#next(context, strike, everyMs)
    })
  }

  #restart(machine: Machine, afterMs: number): void {
    const dueMs = Math.min(afterMs, Math.max(0, this.#endMs - this.#world.nowMs))
    this.#world.after(dueMs, () => {
      if (machine.state === 'down' && !machine.hasLeft) void machine.start()
    })
  }

  #until(afterMs: number, undo: () => void): void {
    const once = (): void => {
      if (this.#undos.delete(once)) undo()
    }
    this.#undos.add(once)
    this.#world.after(afterMs, once)
  }

  #stuck(machine: Machine, code: string): void {
    if (machine.isAlive) machine.end('killed')
    if (code === 'WARP_E_LOG_CORRUPT') this.#replace(machine)
    if (code === 'WARP_E_LOG_VERSION' || code === 'WARP_E_PROTOCOL') this.#upgrade(machine)
    this.#world.after(logUniform(this.#random, ...REPAIR_MS), () => this.#restart(machine, 0))
  }

  /** Its folder, or the others, have gone on to a format that its build does not read. */
  #upgrade(machine: Machine): void {
    const { name, format, formatHighest } = machine
    if (format === LATER_FORMAT) {
      const message = `${name} reads format ${format}, and is refused as if it did not`
      this.#world.violations.add({ invariant: 'W67', message, machine: name })
    } else this.#world.struck(formatHighest === LATER_FORMAT ? WAY_BACK_REFUSED : OLD_REFUSED, name)
    machine.format = LATER_FORMAT
  }

  /** Only damage that was done to it may make a log refuse. */
  #replace(machine: Machine): void {
    if (!machine.hasRotted) {
      const message = `${machine.name} says that its log is damaged, and nothing has damaged it`
      this.#world.violations.add({ invariant: 'W24', message, machine: machine.name })
    } else this.#world.struck('damage found', machine.name)
    machine.replaceDisk(undefined, 'disk lost')
  }
}
