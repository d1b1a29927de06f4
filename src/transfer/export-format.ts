/**
 * The form of an export: lines of JSON. The truth of a line is its bytes in base64, the envelope of
 * an operation or the body of a snapshot record; the other fields repeat what the bytes say, for
 * people and for `jq`. An import compares them, so that a file that was edited by hand is refused
 * and not half believed.
 *
 *     {"kind":"warp-export","version":2,"replica":"9f…","timeMs":…,"applied":{"9f…":12},"floor":{"9f…":3}}
 *     {"kind":"part","key":"cart:9","record":"…"}
 *     {"kind":"snapshot","key":"cart:7","strategy":"set","operationsCount":3,"timeMs":…,"record":"…"}
 *     {"kind":"operation","key":"cart:7","replica":"9f…","sequence":4,"timeMs":…,"does":"update","strategy":"set","payload":…,"envelope":"…"}
 *     {"kind":"end","snapshotsCount":1,"operationsCount":9}
 *
 * `floor`: operations up to these may be gone into snapshots. `applied`: what the export contains,
 * in operations and snapshots. Operations are in the order of the log that was exported, causes
 * before effects. The parts of a large state stand in front of its snapshot, in their order
 * (`merge/snapshot-parts.ts`). `payload` is left out where it is long. `ended` stands in the header if replicas have
 * left that neither vector names any more: which, in base64 (`src/operation/ended-ids.ts`).
 */
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { FORMAT_VERSION } from '../operation/envelope/format.ts'

/** Exports of format 1 are read as well: they are the way out of that format. */
const EXPORT_VERSION_MIN = 1

export interface ExportHeader {
  /** The format of the bytes in its lines. */
  readonly version: number
  readonly applied: VersionVector
  readonly floor: VersionVector
  /** In base64; absent if there are none. */
  readonly ended?: string
}

export type ExportLine =
  | { readonly kind: 'part'; readonly key: string; readonly record: string }
  | { readonly kind: 'snapshot'; readonly key: string; readonly record: string }
  | {
      readonly kind: 'operation'
      readonly key: string
      readonly replica: string
      readonly sequence: number
      readonly envelope: string
    }
  | { readonly kind: 'end'; readonly snapshotsCount: number; readonly operationsCount: number }

type Fields = Readonly<Record<string, unknown>>

/** `newest`: the format that is read. Throws `WARP_E_PROTOCOL`, `WARP_E_LOG_VERSION`. */
export function parseHeader(line: string, newest: number = FORMAT_VERSION): ExportHeader {
  const fields = parseFields(line)
  if (fields['kind'] !== 'warp-export') throw malformed('this is no export of Warp: its first line is another one')
  const { version } = fields
  if (!Number.isSafeInteger(version)) throw malformed('version is no number')
  if ((version as number) > newest || (version as number) < EXPORT_VERSION_MIN) {
    throw new WarpError(
      'WARP_E_LOG_VERSION',
      `an export of version ${version as number}; this build reads ${EXPORT_VERSION_MIN} to ${newest}; import it with a newer one`,
      { details: { version: version as number } },
    )
  }
  const vectors = { applied: vectorIn(fields, 'applied'), floor: vectorIn(fields, 'floor') }
  const ended = own(fields, 'ended') === undefined ? {} : { ended: textIn(fields, 'ended') }
  return { version: version as number, ...vectors, ...ended }
}

/** Throws `WARP_E_PROTOCOL`. */
export function parseLine(line: string): ExportLine {
  const fields = parseFields(line)
  const { kind } = fields
  switch (kind) {
    case 'part':
    case 'snapshot':
      return { kind, key: textIn(fields, 'key'), record: textIn(fields, 'record') }
    case 'operation': {
      const [key, replica, envelope] = [textIn(fields, 'key'), textIn(fields, 'replica'), textIn(fields, 'envelope')]
      return { kind, key, replica, sequence: countIn(fields, 'sequence'), envelope }
    }
    case 'end':
      return {
        kind,
        snapshotsCount: countIn(fields, 'snapshotsCount'),
        operationsCount: countIn(fields, 'operationsCount'),
      }
    default:
      throw malformed('it is neither a snapshot, nor an operation, nor the end')
  }
}

function parseFields(line: string): Fields {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    throw malformed('it is not JSON')
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed('it is no JSON object')
  return json as Fields
}

function textIn(fields: Fields, name: string): string {
  const value = own(fields, name)
  if (typeof value !== 'string') throw malformed(`${name} is no text`)
  return value
}

function countIn(fields: Fields, name: string): number {
  const value = own(fields, name)
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(`${name} is no count`)
  return value as number
}

function vectorIn(fields: Fields, name: string): VersionVector {
  const value = own(fields, name)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${name} is no version vector`)
  const entries = value as Fields
  return VersionVector.from(
    Object.keys(entries).map((replica) => [parseReplicaId(replica), countIn(entries, replica)] as const),
  )
}

function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', what)
}
