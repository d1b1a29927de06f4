/** Operations of others whose writers had seen single operations, and not all before them: as a member writes that writes for others. */
import { expect, test } from 'vitest'
import { counter, map } from '../../crdt/index.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { TestEngine } from './engine-fixture.ts'

const GATEWAY = parseReplicaId('00000000000000f0')
const table = new ReplicaTable()

test('an operation of which a later one has seen only what follows is not folded before it', async () => {
  const keyspaces = new Keyspaces({ 'map:*': { strategy: map(counter()), retain: 'latest' as const } })
  const engine = await TestEngine.open({ keyspaces, isReplicated: true })
  for (const amount of [1, 10, 100]) await engine.write('map:1', 'update', ['x', 'increment', amount])
  const written = engine.engine.applied.copy()
  const { replica } = engine.engine
  const writer = new ByteWriter()
  const header = {
    kind: OPERATION_KIND.delete,
    strategy: 0,
    replicaBytes: table.bytes(GATEWAY),
    sequence: 1,
    hlc: hlcFromMs(engine.env.now() + 1),
    key: 'map:1',
    context: undefined,
    dots: [2, 3].map((sequence) => [replica, sequence] as const),
    dependencies: [[replica, 3] as const],
  }
  writeEnvelopeHeader(writer, header, table)
  expect(engine.admit(writer.take())).toBe('applied')
  expect(engine.get('map:1')).toEqual({ x: 1 })
  engine.engine.stabilise(VersionVector.from(written.entries()))
  expect((await engine.engine.compact()).droppedOperationsCount).toBe(0)
  expect(engine.get('map:1')).toEqual({ x: 1 })
  // Once the delete is stable as well, all of it goes into one state.
  engine.engine.stabilise(engine.engine.applied)
  expect((await engine.engine.compact()).droppedOperationsCount).toBe(4)
  expect(engine.get('map:1')).toEqual({ x: 1 })
})
