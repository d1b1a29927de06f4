/**
 * What a kind of fault is: what it sets up at the beginning, or what strikes now and then. How hard
 * and how often is drawn for each run.
 */
import type { Random } from '../../world/random.ts'
import type { Machine } from '../machine.ts'
import type { World } from '../world.ts'

export interface FaultContext {
  readonly world: World
  /** The fault's own numbers: what one kind draws changes nothing for the others. */
  readonly random: Random
  /** Virtual time at which the faults end and everything is made good. */
  readonly endMs: number
  /** Starts a machine again after a while, at the latest when the faults end. */
  restart(machine: Machine, afterMs: number): void
  /** Calls `undo` after `afterMs`, or when the faults end if that is sooner. */
  until(afterMs: number, undo: () => void): void
}

export interface Fault {
  /**
   * Mean time between two strikes: drawn once per run between these. Absent for what is there all
   * the time.
   */
  readonly everyMs?: readonly [least: number, most: number]
  /** Once, when the faults begin. */
  begin?(context: FaultContext): void
  /** Returns whether there was anything to strike. */
  strike?(context: FaultContext): boolean
}

/** One of the machines that are up, by chance. */
export function victim({ world, random }: FaultContext): Machine | undefined {
  const up = world.up()
  return up.length === 0 ? undefined : random.pick(up)
}

/** Between two bounds, small ones as likely as large ones. */
export function logUniform(random: Random, least: number, most: number): number {
  return least * (most / least) ** random.float()
}
