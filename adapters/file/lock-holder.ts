/**
 * Who holds a folder, and whether that process still runs.
 *
 * A process id alone says little: it is used again, after a reboot soon. Linux tells the boot
 * (`boot_id`) and the start of a process in clock ticks since then, and both together with the id
 * name a process for ever. A killed process whose parent has not yet asked for its exit code (a
 * zombie) still has an id, but no open files: it is dead. Another host's processes, and those of
 * another container on this one (another process id namespace), cannot be seen: then the answer is
 * `unknown`.
 *
 * Elsewhere than on Linux only the id is known, so that a process id used again refuses the folder
 * until the file is removed by hand.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface Holder {
  /** Random; names one taking of the lock. */
  readonly token: string
  readonly pid: number
  /** Start of the process in clock ticks since boot. */
  readonly startTicks?: string | undefined
  readonly bootId?: string | undefined
  readonly pidNamespace?: string | undefined
  readonly hostname: string
}

export function thisProcess(token: string): Holder {
  return {
    token,
    pid: process.pid,
    startTicks: processStat('self')?.startTicks,
    bootId: bootId(),
    pidNamespace: pidNamespace(),
    hostname: hostname(),
  }
}

/** `undefined` for anything that is not a whole holder. */
export function parseHolder(text: string): Holder | undefined {
  let fields: Partial<Record<string, unknown>>
  try {
    fields = Object(JSON.parse(text)) as Partial<Record<string, unknown>> // every field is checked below
  } catch {
    return undefined // not JSON: the caller treats the file as unreadable
  }
  const { token, pid, hostname: host } = fields
  // The token becomes part of a file name.
  if (typeof token !== 'string' || !/^[0-9a-f-]{36}$/.test(token)) return undefined
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0 || typeof host !== 'string') return undefined
  return {
    token,
    pid: pid as number, // checked in the line above
    hostname: host,
    startTicks: textOrNothing(fields['startTicks']),
    bootId: textOrNothing(fields['bootId']),
    pidNamespace: textOrNothing(fields['pidNamespace']),
  }
}

export function holderFate(holder: Holder): 'alive' | 'dead' | 'unknown' {
  if (holder.hostname !== hostname()) return 'unknown'
  if (holder.bootId !== bootId()) return 'dead'
  if (holder.pidNamespace !== pidNamespace()) return 'unknown'
  if (!hasProcess(holder.pid)) return 'dead'
  const stat = processStat(holder.pid)
  if (stat === undefined) return hasProcess(holder.pid) ? 'alive' : 'dead'
  if (stat.state === 'Z' || stat.state === 'X') return 'dead'
  return holder.startTicks === undefined || holder.startTicks === stat.startTicks ? 'alive' : 'dead'
}

/** Names this boot of the machine, where the system tells. */
export function bootId(): string | undefined {
  return readOrNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
}

function pidNamespace(): string | undefined {
  return readOrNothing(() => readlinkSync('/proc/self/ns/pid'))
}

/**
 * Fields 3 (state) and 22 (start time) of proc_pid_stat(5). The name in field 2 may contain blanks
 * and parentheses.
 */
function processStat(pid: number | 'self'): { readonly state: string; readonly startTicks: string } | undefined {
  const text = readOrNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const state = fields?.[0]
  const startTicks = fields?.[19]
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks }
}

function hasProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'ESRCH' // EPERM: it runs and belongs to somebody else
  }
}

/**
 * The system has no such file, or does not let us see it: not known, and the callers know what to
 * make of that.
 */
function readOrNothing(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
