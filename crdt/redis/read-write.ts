/** Payloads of other replicas, which may be anything: what `write.ts` encodes, decoded and checked. */
import type { Encodable } from '../encoding/encodable.ts'
import { malformedPayload } from '../encoding/payload.ts'
import { isReplicaId, type ReplicaId } from '../time/replica-id.ts'
import { fromWire } from './binary.ts'
import { isExact } from './exact.ts'
import { STRING_BYTES_MAX, WIDTH_MAX, type Change } from './patches.ts'
import { NOT_INSERTED, type Position, type Side, type Step } from './positions.ts'
import { isRegister } from './registers/register-verbs.ts'
import type { Raised } from './registers/registers.ts'
import type { Addition, Cut } from './runs.ts'
import { isStreamId, type StreamId } from './streams/stream-id.ts'
import type { MarkContent } from './streams/stream.ts'
import {
  ACTS,
  REPLACING,
  modeOf,
  unsaidLife,
  type Act,
  type FieldChange,
  type LifeChange,
  type NoteChange,
  type PlacedCut,
  type ScoreChange,
  type Write,
} from './write.ts'

const UNSIGNED_64 = /^(?:0|[1-9][0-9]{0,19})$/
const STEP_ITEMS = 4
const POSITION_ITEMS = 5

/** Throws `WARP_E_PROTOCOL` for what no verb makes. */
export function decodeWrite(payload: Encodable): Write {
  const [code, body, life, cuts] = listOf(payload)
  if (typeof code !== 'number') throw malformed()
  const isReplacing = code >= REPLACING
  const name = ACTS[isReplacing ? code - REPLACING : code]
  if (name === undefined) throw malformed()
  return {
    act: decodeBody(name, body),
    isReplacing,
    life: life === undefined ? unsaidLife(isReplacing) : decodeLife(life),
    cuts: cuts === undefined ? [] : unchunked(cuts).map(decodePlacedCut),
  }
}

function decodeLife(life: Encodable): LifeChange {
  if (life === null) return Infinity
  if (life === false) return 'none'
  if (life === 0) return 'kept'
  return countOf(life)
}

function decodeBody(name: Act['act'], body: Encodable | undefined): Act {
  switch (name) {
    case 'live':
      return { act: name }
    case 'put':
      return { act: name, value: binaryOf(body) }
    case 'add':
      return { act: name, addition: decodeAddition(body) }
    case 'patch':
      return { act: name, changes: listOf(body).map(decodeChange) }
    case 'fields':
      return { act: name, fields: unchunked(body).map(decodeField) }
    case 'join':
    case 'leave':
      return { act: name, members: unchunked(body).map(binaryOf) }
    case 'scores':
      return { act: name, members: unchunked(body).map(decodeScore) }
    case 'raise':
    case 'stream':
    case 'notes':
      return decodeLaterBody(name, body)
    default:
      return decodeListAct(name, body)
  }
}

function decodeListAct(name: 'push' | 'insert' | 'set' | 'take', body: Encodable | undefined): Act {
  const [first, second, third, fourth] = listOf(body)
  switch (name) {
    case 'push':
      return { act: name, side: sideOf(first), order: countOf(second), values: unchunked(third).map(binaryOf) }
    case 'insert':
      return {
        act: name,
        pivot: decodePosition(first),
        side: sideOf(second),
        order: countOf(third),
        value: binaryOf(fourth),
      }
    case 'set':
      return { act: name, position: decodePosition(first), value: binaryOf(second) }
    case 'take':
      return { act: name, positions: unchunked(body).map(decodePosition) }
  }
}

function decodeLaterBody(name: 'raise' | 'stream' | 'notes', body: Encodable | undefined): Act {
  switch (name) {
    case 'raise':
      return { act: name, registers: unchunked(body).map(decodeRegister) }
    case 'notes':
      return { act: name, notes: unchunked(body).map(decodeNote) }
    case 'stream': {
      const [entries, removed, floor, mark] = listOf(body)
      return {
        act: name,
        entries: unchunked(entries).map(decodeEntry),
        removed: unchunked(removed).map(idOf),
        floor: floor === null ? undefined : idOf(floor),
        mark: mark === null ? undefined : decodeMark(mark),
      }
    }
  }
}

function decodeRegister(encoded: Encodable): Raised {
  const [place, rank] = listOf(encoded)
  const register = { place: countOf(place), rank: countOf(rank) }
  if (!isRegister(register)) throw malformed()
  return register
}

function decodeEntry(encoded: Encodable): { readonly id: StreamId; readonly fields: readonly string[] } {
  const [id, ...fields] = listOf(encoded)
  return { id: idOf(id), fields: fields.map(binaryOf) }
}

function decodeNote(encoded: Encodable): NoteChange {
  const [name, value] = listOf(encoded)
  return { name: binaryOf(name), value: value === undefined ? undefined : binaryOf(value) }
}

/** Throws `WARP_E_PROTOCOL`. */
export function decodeMark(encoded: Encodable | undefined): MarkContent {
  const [last, deleted, gone] = listOf(encoded)
  return { last: idOf(last), deleted: idOf(deleted), gone: countOf(gone) }
}

function idOf(encoded: Encodable | undefined): StreamId {
  const id = binaryOf(encoded)
  if (!isStreamId(id)) throw malformed()
  return id
}

function decodePlacedCut(encoded: Encodable): PlacedCut {
  const [place, ...cut] = listOf(encoded)
  return { place: binaryOf(place), ...decodeCut(cut) }
}

function decodeCut([replica, sequence, index, total]: readonly (Encodable | undefined)[]): Cut {
  if (!isExact(total)) throw malformed()
  return { replica: replicaOf(replica), sequence: countOf(sequence), index: countOf(index), total }
}

function decodeAddition(encoded: Encodable | undefined): Addition {
  const [amount, ...within] = listOf(encoded)
  if (!isExact(amount)) throw malformed()
  return within.length === 0 ? { amount } : { amount, within: decodeCut(within) }
}

/** Throws `WARP_E_PROTOCOL`. */
export function decodeChange(encoded: Encodable): Change {
  const items = listOf(encoded)
  const [offset, width, value, isAdded] = items
  if (items.length === 1) return { kind: 'append', bytes: binaryOf(offset) }
  if (items.length === 2) return { kind: 'overwrite', offset: withinString(offset, 1), bytes: binaryOf(width) }
  const bits = countOf(width)
  if (bits < 1 || bits > WIDTH_MAX || typeof value !== 'string' || !UNSIGNED_64.test(value)) throw malformed()
  return {
    kind: isAdded === true ? 'add-bits' : 'set-bits',
    offset: withinString(offset, 8),
    width: bits,
    value: BigInt(value),
  }
}

function decodeField(encoded: Encodable): FieldChange {
  const [wire, value] = listOf(encoded)
  const name = binaryOf(wire)
  if (Array.isArray(value)) return { name, addition: decodeAddition(value) }
  return { name, value: value === undefined ? undefined : binaryOf(value) }
}

function decodeScore(encoded: Encodable): ScoreChange {
  const [wire, score, code] = listOf(encoded)
  const name = binaryOf(wire)
  if (Array.isArray(score)) return { name, addition: decodeAddition(score) }
  const mode = modeOf(code)
  if (mode === undefined || (score !== undefined && !isScore(score))) throw malformed()
  return { name, score: score, mode }
}

/** Infinities are scores. */
export function isScore(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value)
}

/** Throws `WARP_E_PROTOCOL`. */
export function decodePosition(encoded: Encodable | undefined): Position {
  const items = listOf(encoded)
  const steps = items.slice(POSITION_ITEMS)
  if (steps.length % STEP_ITEMS !== 0) throw malformed()
  const inserted: Step[] = []
  for (let i = 0; i < steps.length; i += STEP_ITEMS) inserted.push(decodeStep(steps.slice(i, i + STEP_ITEMS)))
  return { ...decodeStep(items), index: countOf(items[4]), inserted: inserted.length === 0 ? NOT_INSERTED : inserted }
}

function decodeStep([side, order, replica, sequence]: readonly (Encodable | undefined)[]): Step {
  return { side: sideOf(side), order: countOf(order), replica: replicaOf(replica), sequence: countOf(sequence) }
}

function sideOf(encoded: Encodable | undefined): Side {
  if (encoded !== 1 && encoded !== -1) throw malformed()
  return encoded
}

function withinString(offset: Encodable | undefined, unitsPerByte: number): number {
  const count = countOf(offset)
  if (count >= STRING_BYTES_MAX * unitsPerByte) throw malformed()
  return count
}

function replicaOf(encoded: Encodable | undefined): ReplicaId {
  if (!isReplicaId(encoded)) throw malformed()
  return encoded
}

function countOf(encoded: Encodable | undefined): number {
  if (!Number.isSafeInteger(encoded) || (encoded as number) < 0) throw malformed()
  return encoded as number
}

function binaryOf(encoded: Encodable | undefined): string {
  const binary = fromWire(encoded)
  if (binary === undefined) throw malformed()
  return binary
}

function listOf(encoded: Encodable | undefined): readonly (Encodable | undefined)[] & readonly Encodable[] {
  if (!Array.isArray(encoded)) throw malformed()
  return encoded as readonly Encodable[]
}

function unchunked(encoded: Encodable | undefined): Encodable[] {
  return listOf(encoded).flatMap((chunk) => listOf(chunk))
}

function malformed(): ReturnType<typeof malformedPayload> {
  return malformedPayload('redis')
}
