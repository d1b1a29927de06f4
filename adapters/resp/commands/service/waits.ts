/** WAIT and WAITAOF: how many replicas hold what this one has written. */
import { isWarpError } from '../../../../crdt/warp-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'
import { positiveOf } from '../../call/arguments.ts'
import type { Call, Command } from '../../call/command.ts'
import { ReplyError } from '../../call/reply-error.ts'

const BASE = { flags: ['noscript'], group: 'generic' } as const

/** For ever, to a wait that has an end. */
const LONGEST_MS = 86_400_000

export const WAIT_COMMANDS: readonly Command[] = [
  {
    ...BASE,
    name: 'WAIT',
    arity: 3,
    since: '3.0.0',
    summary: 'Waits until so many other replicas hold in memory what this one has written, and says how many do.',
    run: wait,
  },
  {
    ...BASE,
    name: 'WAITAOF',
    arity: 4,
    since: '7.2.0',
    summary: 'The same of disks: of this replica (0 or 1), and of others.',
    run: waitForDisks,
  },
]

function wait(call: Call, args: readonly string[]): void | Promise<void> {
  const replicas = positiveOf(args[1]!)
  const timeoutMs = timeoutOf(args[2]!)
  return settle(
    call,
    () => held(call, { replicas, timeoutMs, level: 'memory' }),
    (count) => call.reply.integer(count),
  )
}

function waitForDisks(call: Call, args: readonly string[]): void | Promise<void> {
  const local = positiveOf(args[1]!)
  if (local > 1) throw new ReplyError('ERR value is out of range, value must between 0 and 1')
  const replicas = positiveOf(args[2]!)
  const timeoutMs = timeoutOf(args[3]!)
  const { warp } = call.core
  if (local === 1 && !warp.capabilities().persistent)
    throw new ReplyError('ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.')
  const both = async (): Promise<readonly [number, number]> => [
    local === 1 ? await onDisk(call) : 0,
    await held(call, { replicas, timeoutMs, level: 'durable' }),
  ]
  return settle(call, both, ([own, others]) => {
    call.reply.array(2)
    call.reply.integer(own)
    call.reply.integer(others)
  })
}

/** Inside EXEC nothing waits: nobody is known to hold what has just been written. */
function settle<Counted extends number | readonly [number, number]>(
  call: Call,
  ask: () => Promise<Counted>,
  reply: (counted: Counted) => void,
): void | Promise<void> {
  if (!call.mayWait) throw new ReplyError('ERR WAIT inside MULTI is not allowed')
  return ask().then(reply)
}

async function onDisk({ core, keys }: Call): Promise<number> {
  const dot = keys.direct.lastWritten
  if (dot !== undefined) await core.warp.settled(dot, 'durable')
  return 1
}

interface Holders {
  readonly replicas: number
  readonly timeoutMs: number
  readonly level: 'memory' | 'durable'
}

/** How many other replicas hold what has been written last; waits for so many at most. */
async function held({ core, keys }: Call, { replicas, timeoutMs, level }: Holders): Promise<number> {
  const dot = keys.direct.lastWritten
  if (dot === undefined || core.warp.capabilities().transports.length === 0) return 0
  const wanted = Math.max(1, replicas)
  const acks = { replicas: wanted, countSelf: false, level, timeoutMs: replicas === 0 ? 1 : timeoutMs } as const
  try {
    const settled = await core.warp.settled(dot, { ack: 'memory', acks })
    return settled.acks?.replicas ?? 0
  } catch (error) {
    if (isWarpError(error, 'WARP_E_QUORUM') || isWarpError(error, 'WARP_E_ZONES'))
      return Number(error.details['replicas'] ?? 0)
    throw error
  }
}

function timeoutOf(text: string): number {
  const ms = parseWhole(text)
  if (ms === undefined) throw new ReplyError('ERR timeout is not an integer or out of range')
  if (ms < 0) throw new ReplyError('ERR timeout is negative')
  return ms === 0 || ms > LONGEST_MS ? LONGEST_MS : Number(ms)
}
