/** Two replicas at one ordered log in memory, in virtual time, and readers that write down what they are told. */
import type {
  AppendOutcome,
  Bookmark,
  OrderedLogLink,
  OrderedLogReader,
  OrderedRecord,
} from '../../src/ports/ordered-log.ts'
import {
  type MemoryOrderedLog,
  memoryOrderedLogOn,
  type MemoryOrderedLogSettings,
} from '../../src/ports/ordered-memory/memory-ordered-log.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'

export interface LogWorld {
  readonly env: VirtualEnv
  readonly log: MemoryOrderedLog
  readonly a: OrderedLogLink
  readonly b: OrderedLogLink
  /** What links were told of their connection. */
  readonly connections: string[]
  readonly open: (name: string) => Promise<OrderedLogLink>
}

export async function logWorld(settings: MemoryOrderedLogSettings = {}): Promise<LogWorld> {
  const env = virtualEnv()
  const log = memoryOrderedLogOn(env, settings)
  const connections: string[] = []
  const open = async (name: string): Promise<OrderedLogLink> => {
    const connected = (isConnected: boolean): void => void connections.push(`${name} ${isConnected ? 'up' : 'down'}`)
    const travelMs = (settings.delayMs ?? 0) + (settings.jitterMs ?? 0)
    const [link] = await Promise.all([log.named(name).open({ connected }), env.advance(travelMs)])
    return link
  }
  return { env, log, connections, open, a: await open('a'), b: await open('b') }
}

export interface Told {
  /** As they were handed over, those that came again among them. */
  readonly records: OrderedRecord[]
  readonly batches: number[]
  /** Anything else, in words. */
  readonly said: string[]
  readonly stop: () => void
}

export function followed(link: OrderedLogLink, after?: Bookmark, records?: OrderedLogReader['records']): Told {
  const told: Told = { records: [], batches: [], said: [], stop: () => stop() }
  const stop = link.follow(0, after, {
    records: (batch) => {
      told.records.push(...batch)
      told.batches.push(batch.length)
      return records?.(batch)
    },
    trimmed: (firstOffset) => told.said.push(`trimmed ${firstOffset}`),
    broken: ({ code }) => told.said.push(code),
  })
  return told
}

/** What has become of a promise by now: its value or error, or `'waits'`. */
export function now(env: VirtualEnv, promise: Promise<unknown>): Promise<unknown> {
  return Promise.race([promise.catch((error: unknown) => error), env.runUntilIdle().then(() => 'waits')])
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function idsIn(records: readonly OrderedRecord[]): string {
  return records.map(({ id }) => id).join(' ')
}

export async function* piecesOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

export const IDS = Array.from({ length: 200 }, (_, index) => `record-${index}`)

/** Appends all at once, and gives what became of each. */
export async function appendAll(
  { env, a }: Pick<LogWorld, 'env' | 'a'>,
  ids: readonly string[] = IDS,
): Promise<AppendOutcome[]> {
  const outcomes = Promise.all(ids.map((id) => a.append(0, id, bytesOf(id))))
  await env.advance(60_000)
  return outcomes
}

export function kindsOf(outcomes: readonly AppendOutcome[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of outcomes) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
