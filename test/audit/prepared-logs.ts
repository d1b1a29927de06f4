/** Logs for audits: sound ones with a bit of everything, and forged ones whose checksums are all good. */
import { Log, RECORD_KIND } from '../../src/log/log.ts'
import {
  checkRecord,
  decodeSegmentHeader,
  RECORD_HEADER_BYTES,
  sealRecord,
  SEGMENT_HEADER_BYTES,
  TWO_POW_32,
  viewOf,
} from '../../src/log/segments/segment-format.ts'
import type { LogFiles, LogStore } from '../../src/ports/files.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { TestEngine, exchange, type FixtureOptions } from '../engine/engine-fixture.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

export function disk(): MemoryFiles {
  return memoryFiles({ persistent: true })
}

/** Opens a copy: whatever is done with it, `files` stay as they are. */
export function storeOf(files: MemoryFiles, name = 'the log'): LogStore {
  return { name, open: () => Promise.resolve(files.copy()) }
}

export interface Pair {
  readonly env: VirtualEnv
  readonly a: TestEngine
  readonly b: TestEngine
  readonly filesA: MemoryFiles
  readonly filesB: MemoryFiles
}

export async function openPair(options: Omit<FixtureOptions, 'env' | 'files'> = {}): Promise<Pair> {
  const env = virtualEnv()
  const [filesA, filesB] = [disk(), disk()]
  const a = await TestEngine.open({ retain: 'all', ...options, env, files: filesA })
  const b = await TestEngine.open({ retain: 'all', ...options, env: env.fork({ label: 'b' }), files: filesB })
  return { env, a, b, filesA, filesB }
}

/** Concurrent writes of every kind in so many rounds, and everybody has everything. */
export async function writeRounds({ a, b, env }: Pair, rounds = 4): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const [who, replica] of [a, b].entries()) await writeSome(replica, `${who}.${round}`)
    await env.advance(300)
    await exchange(a, b)
  }
}

async function writeSome(replica: TestEngine, name: string): Promise<void> {
  await replica.set('reg:1', name)
  await replica.set(`reg:${name}`, { name, n: [1, 2] })
  await replica.set('ttl:1', name)
  await replica.write('count:1', 'increment', [name.length])
  await replica.write('sum-ttl:1', 'increment', [2])
  await replica.write('set:1', 'add', [name, 'both'])
  if (name.endsWith('1')) await replica.write('set:1', 'remove', ['both'])
  await replica.set('mv:1', name)
  await replica.write('text:1', 'insert', [0, name])
  await replica.set('list:1', [name])
  await replica.write('own:1', 'increment', [1])
  if (name.endsWith('2')) await replica.write('count:1', 'delete')
  if (name.endsWith('2')) await replica.write('list:1', 'delete')
}

export interface ForgedRecord {
  readonly kind: number
  /** The envelope, if it is an operation. */
  readonly body: Uint8Array
  readonly replica: string
  readonly sequence: number
}

/** Writes the log anew, every checksum and link in order, with what `edit` makes of each record: other bodies, none, or more. */
export async function forge(
  files: LogFiles,
  edit: (record: ForgedRecord) => readonly Uint8Array[],
): Promise<MemoryFiles> {
  const env = virtualEnv()
  const source = await Log.open({ files, env }, { restore: () => undefined, record: () => undefined })
  const forged = disk()
  const target = await Log.open({ files: forged, env }, { restore: () => undefined, record: () => undefined })
  const moved = new Map<number, number>([[0, 0]])
  const reader = new OperationReader(new ReplicaTable())
  source.scan(0, (record) => {
    const isOperation = record.kind === RECORD_KIND.operation
    const { replica, sequence } = isOperation
      ? reader.load(record.bytes, record.start, record.end)
      : { replica: '', sequence: 0 }
    const body = record.bytes.slice(record.start, record.end)
    const previous = moved.get(record.previous) ?? 0
    moved.set(record.position, previous)
    for (const bytes of edit({ kind: record.kind, body, replica, sequence })) {
      target.begin().raw(bytes, 0, bytes.length)
      moved.set(record.position, target.commit(record.kind, moved.get(record.position) as number))
    }
    return true
  })
  await source.close()
  await target.close()
  return forged
}

/** Changes the bodies of records where they stand, and makes their checksums good. */
export function rewriteInPlace(files: MemoryFiles, edit: (kind: number, body: Uint8Array) => void): void {
  for (const name of files.list().filter((one) => one.startsWith('segment-'))) {
    const bytes = files.bytes(name)
    const view = viewOf(bytes)
    const decoded = decodeSegmentHeader(bytes)
    if (decoded.kind !== 'header') throw new Error(`${name} has no header`)
    const { number, salt } = decoded.header
    const place = { base: number * TWO_POW_32, salt }
    for (let at = SEGMENT_HEADER_BYTES; ;) {
      const length = checkRecord(view, at, bytes.length, { ...place, offset: at })
      if (length === 0) break
      edit(view.getUint8(at + 4), bytes.subarray(at + RECORD_HEADER_BYTES, at + length))
      sealRecord(view, at, salt ^ at)
      at += length
    }
  }
}
