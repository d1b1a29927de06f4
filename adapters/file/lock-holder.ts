/**
 * Who holds a folder, and whether that holder still lives.
 *
 * The holder listens on a socket in the folder (`holder-socket.ts`), and the kernel that runs it
 * says whether it still does. That is the proof wherever the kernel is known to be ours: by its
 * boot (`boot_id`, the same in all containers), or where the system tells no boots, by the host's
 * name.
 *
 * A lock of another boot is dead if the file system belongs to this machine alone, because then no
 * other kernel can have it open. On a file system that is shared (NFS, a folder of the host in a
 * virtual machine) the other boot may be another machine: the answer is `unknown` unless the host's
 * name is ours.
 *
 * Where no socket could be made, the process id has to do. A process id alone says little: it is
 * used again, after a reboot soon. Linux tells the start of a process in clock ticks, and boot,
 * start and id together name a process for ever. A killed process whose parent has not yet asked
 * for its exit code (a zombie) still has an id, but no open files: it is dead. The processes of
 * another container (another process id namespace) cannot be seen: `unknown`. Elsewhere than on
 * Linux only the id is known, so that a process id used again refuses the folder until the lock is
 * removed by hand.
 */
import { readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { hostname } from 'node:os'
import { probeSocket } from './holder-socket.ts'

export interface Holder {
  /** Random; names one taking of the lock. */
  readonly token: string
  readonly pid: number
  /** Start of the process in clock ticks since boot. */
  readonly startTicks?: string | undefined
  readonly bootId?: string | undefined
  readonly pidNamespace?: string | undefined
  readonly hostname: string
  /** The name of the socket on which the holder listens. */
  readonly socket?: string | undefined
}

export function thisProcess(token: string, socket?: string): Holder {
  return {
    token,
    socket,
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
  const socket = textOrNothing(fields['socket'])
  if (socket?.includes('/') === true) return undefined
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0 || typeof host !== 'string') return undefined
  return {
    token,
    pid: pid as number, // checked in the line above
    hostname: host,
    socket,
    startTicks: textOrNothing(fields['startTicks']),
    bootId: textOrNothing(fields['bootId']),
    pidNamespace: textOrNothing(fields['pidNamespace']),
  }
}

/** Whether the holder of a lock in `folder` lives. `dead` and `alive` are proved. */
export async function holderFate(holder: Holder, folder: string): Promise<'alive' | 'dead' | 'unknown'> {
  const isOfThisHost = holder.hostname === hostname()
  const isOfThisMachine = isOfThisHost || isOnThisMachineAlone(folder)
  const boot = bootId()
  const areBootsKnown = holder.bootId !== undefined && boot !== undefined
  if (areBootsKnown && holder.bootId !== boot) return isOfThisMachine ? 'dead' : 'unknown'
  if (!areBootsKnown && !isOfThisMachine) return 'unknown'
  // From here on the kernel that runs the holder, if anything does, is ours.
  const answer = holder.socket === undefined ? 'unknown' : await probeSocket(folder, holder.socket)
  return answer === 'unknown' ? processFate(holder) : answer
}

/** What the process id says, of a process under this kernel. */
function processFate(holder: Holder): 'alive' | 'dead' | 'unknown' {
  if (holder.pidNamespace !== pidNamespace()) return 'unknown'
  if (!hasProcess(holder.pid)) return 'dead'
  const stat = processStat(holder.pid)
  if (stat === undefined) return hasProcess(holder.pid) ? 'alive' : 'dead'
  if (stat.state === 'Z' || stat.state === 'X') return 'dead'
  return holder.startTicks === undefined || holder.startTicks === stat.startTicks ? 'alive' : 'dead'
}

/**
 * File systems of Linux that one kernel at a time has mounted, by the numbers of statfs(2): ext2 to
 * ext4, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs, JFS, NTFS, exFAT, FAT.
 */
const FILE_SYSTEMS_OF_ONE: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e, 0x3153464a, 0x7366746e,
  0x2011bab0, 0x4d44,
])

function isOnThisMachineAlone(folder: string): boolean {
  return process.platform === 'linux' && FILE_SYSTEMS_OF_ONE.has(statfsSync(folder).type)
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
