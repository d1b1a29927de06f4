/** Valid operations, snapshots, segments and checkpoints for the corpora: an engine wrote them, so they are as they are in the field. */
import { RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine } from '../../test/engine/engine-fixture.ts'

export interface Recorded {
  readonly envelopes: readonly Uint8Array[]
  readonly snapshots: readonly Uint8Array[]
  readonly metas: readonly Uint8Array[]
  /** The state as a stream, whole. */
  readonly stream: Uint8Array
  /** Without the space behind the records. */
  readonly segments: readonly Uint8Array[]
  readonly checkpoints: readonly Uint8Array[]
}

/** What two replicas write to a key of each strategy, compacted in part. */
export async function recordedLog(): Promise<Recorded> {
  const env = virtualEnv({ seed: 3 })
  const files = memoryFiles({ persistent: true, home: 'a', bootId: '1' })
  const a = await TestEngine.open({ env: env.fork({ label: 'a' }), files })
  const b = await TestEngine.open({ env: env.fork({ label: 'b' }) })
  for (const engine of [a, b]) await write(engine)
  await exchange(a, b)
  const envelopes = bodiesOf(a, RECORD_KIND.operation)
  await a.engine.log.writeCheckpoint(Uint8Array.of(1, 2, 3))
  await a.engine.compact()
  await write(a)
  await a.engine.log.writeCheckpoint(Uint8Array.of(4))
  const stream = a.engine.exportSnapshot(1_000_000).next() ?? new Uint8Array(0)
  const named = (start: string): Uint8Array[] =>
    files
      .list()
      .filter((name) => name.startsWith(start))
      .map((name) => trimmed(files.bytes(name)))
  return {
    envelopes,
    stream,
    snapshots: bodiesOf(a, RECORD_KIND.snapshot),
    metas: bodiesOf(a, RECORD_KIND.meta),
    segments: named('segment'),
    checkpoints: named('checkpoint'),
  }
}

async function write(engine: TestEngine): Promise<void> {
  await engine.set('reg:1', { name: 'Ann', tags: ['x', 7n, new Date(5)], bytes: Uint8Array.of(1, 2) })
  await engine.write('count:1', 'increment', [5])
  await engine.write('set:1', 'add', ['x', 'y'])
  await engine.write('set:1', 'remove', ['x'])
  await engine.set('mv:é', 'sibling')
  await engine.write('text:1', 'insert', [0, 'hello 🎈'])
  await engine.write('text:1', 'remove', [1, 2])
  await engine.write('list:1', 'set', [['a']])
  await engine.write('count:2', 'increment', [1])
  await engine.write('count:2', 'delete')
}

function bodiesOf({ engine }: TestEngine, kind: number): Uint8Array[] {
  const bodies: Uint8Array[] = []
  engine.log.scan(0, (record) => {
    if (record.kind === kind) bodies.push(record.bytes.slice(record.start, record.end))
    return true
  })
  return bodies
}

function trimmed(file: Uint8Array): Uint8Array {
  return file.slice(0, file.findLastIndex((byte) => byte !== 0) + 1)
}
