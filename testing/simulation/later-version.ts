/**
 * A replica that runs a later version of Warp: it writes operations of kinds that this one does not
 * know, and such with fields that it does not know. Its operation is made from what one of our
 * replicas exports, and comes in by an import; from there it travels like any other. Each such
 * replica writes once.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { encodeInto } from '../../crdt/encoding/encoding.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { REPLICA_ID_BYTES, replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import type { VectorEntries } from '../../src/operation/envelope/vector-entries.ts'
import { toBase64 } from '../../crdt/encoding/base64.ts'
import { parseHeader } from '../../src/transfer/export-format.ts'
import type { Random } from '../world/random.ts'
import type { Machine } from './machine.ts'
import type { World } from './world.ts'

const UNKNOWN_TAG_MIN = 80
const UNKNOWN_KIND = 99
/** The register's. */
const STRATEGY = 1

/** Writes one at `machine`. What the machine refuses, it refuses. */
export function laterOperation(world: World, machine: Machine, random: Random): void {
  write(world, machine, random).then(
    () => world.struck('later operation taken in', machine.name),
    () => world.struck('later operation refused', machine.name),
  )
}

async function write(world: World, machine: Machine, random: Random): Promise<void> {
  const { warp, clock, formatRun } = machine
  if (warp === undefined) return
  let text = ''
  for await (const piece of warp.export()) text += piece
  const [head = '', ...lines] = text.trimEnd().split('\n')
  const seen = [...parseHeader(head, formatRun).applied.entries()]
  const newestMs = Math.max(clock.wallMs, ...lines.map(stampMs))
  const key = `later:${random.below(2)}`
  world.keys.add(key)
  const replica = random.bytes(REPLICA_ID_BYTES)
  const envelope = made({ random, replica, seen, key, hlc: hlcFromMs(newestMs + 1) })
  const operation = {
    ...{ kind: 'operation', key, replica: replicaIdFromBytes(replica), sequence: 1, envelope: toBase64(envelope) },
  }
  const end = { kind: 'end', snapshotsCount: 0, operationsCount: 1 }
  const header = { kind: 'warp-export', version: FORMAT_VERSION, applied: { [operation.replica]: 1 }, floor: {} }
  await warp.import(pieces([header, operation, end].map((line) => JSON.stringify(line) + '\n')))
}

interface Made {
  readonly random: Random
  readonly replica: Uint8Array
  readonly seen: VectorEntries
  readonly key: string
  readonly hlc: number
}

function made({ random, replica, seen, key, hlc }: Made): Uint8Array {
  const isUnknown = random.chance(0.3)
  const table = new ReplicaTable()
  const writer = new ByteWriter(256)
  const header = { strategy: STRATEGY, replicaBytes: replica, sequence: 1, hlc, key, context: undefined }
  const kind = isUnknown ? UNKNOWN_KIND : OPERATION_KIND.update
  const fields = { others: unknownFields(random) }
  writeEnvelopeHeader(writer, { ...header, kind, dependencies: seen, fields }, table)
  if (isUnknown) writer.raw(random.bytes(random.below(30)))
  else encodeInto(writer, random.below(1000))
  return writer.take()
}

/** Fields that this version does not know, and may leave unread. */
function unknownFields(random: Random): Uint8Array {
  const writer = new ByteWriter()
  const count = random.below(3)
  for (let i = 0; i < count; i++) {
    const body = random.bytes(random.below(10))
    writer.u8(UNKNOWN_TAG_MIN + i)
    writer.varint(body.length)
    writer.raw(body)
  }
  return writer.take()
}

function stampMs(line: string): number {
  const { timeMs } = JSON.parse(line) as { readonly timeMs?: number }
  return timeMs ?? 0
}

async function* pieces(texts: readonly string[]): AsyncGenerator<string, void, undefined> {
  yield* texts
}
