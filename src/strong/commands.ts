/**
 * What stands in a record of the ordered log. A record holds commands of one author, one after the
 * other; each is judged by itself, at its place, on every replica alike.
 *
 *     record  = [version, author, first, floor, basisMs, [command:bytes*]]
 *     command = [kind, …]         kind 1 writes, 2 closes a number, 3 says good-bye, 4 locks,
 *                              5 says that a snapshot has been saved
 *
 * The commands of a record have the numbers `first`, `first + 1` and so on. All numbers of the author
 * below `floor` have been decided, or will never come. `basisMs` is the time of the log as the author
 * knew it: a record that comes much later than that counts for nothing, so nobody needs to remember
 * for ever which numbers have come.
 */
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectReplica, expectText } from '../../crdt/encoding/stored-state.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { checkKey } from '../keys/key-refusals.ts'
import { RECORD_COMMANDS_MAX, TRANSACTION_KEYS_MAX, VALUE_BYTES_MAX } from '../limits.ts'

export const RECORD_VERSION = 1

/** What has to be true of a key where the command is judged. */
export type Expectation =
  /** 0: the key has no value. */
  | { readonly key: string; readonly version: number }
  /** The bytes of the value, as `encode` gives them. */
  | { readonly key: string; readonly value: Uint8Array }

/** What becomes of a key. */
export interface Change {
  readonly key: string
  /** The code of the strategy that its author knows the key by. */
  readonly strategy: number
  /** Absent: the key is deleted. */
  readonly verb?: string
  readonly parameters: readonly Encodable[]
  /** 0: as the key's pattern says. */
  readonly lifeMs: number
}

/** All of it counts or none. */
export interface WriteCommand {
  readonly kind: 'write'
  readonly expected: readonly Expectation[]
  /** Each of another key. */
  readonly changes: readonly Change[]
  /** The token of a lock: refused where a greater one has written. */
  readonly fence?: number | undefined
}

/** Closes a number of an author: if it has not come yet, it never will count. */
export interface VoidCommand {
  readonly kind: 'void'
  readonly author: ReplicaId
  readonly sequence: number
  /** The time of the log when the command of that number was first sent, about; 0: not known. */
  readonly sinceMs: number
}

/** The author writes no more: soon nothing has to be remembered of it. */
export interface ByeCommand {
  readonly kind: 'bye'
}

/** A snapshot holds so many records, of so many bytes, of those that were behind the one before. */
export interface SavedCommand {
  readonly kind: 'saved'
  readonly recordsCount: number
  readonly recordsBytes: number
}

/** Of locks: see `locks/`. */
export interface LockCommand {
  readonly kind: 'lock'
  readonly name: string
  readonly act: string
  readonly parameters: readonly Encodable[]
}

export type Command = WriteCommand | VoidCommand | ByeCommand | LockCommand | SavedCommand

export interface CommandRecord {
  readonly author: ReplicaId
  readonly first: number
  readonly floor: number
  readonly basisMs: number
  readonly commands: readonly Command[]
}

const KIND = { write: 1, void: 2, bye: 3, lock: 4, saved: 5 } as const

/** `commands`: each as `encodeCommand` gives it. */
export function encodeRecord(
  { author, first, floor, basisMs }: Omit<CommandRecord, 'commands'>,
  commands: readonly Uint8Array[],
): Uint8Array {
  return encode([RECORD_VERSION, author, first, floor, basisMs, commands])
}

/** Throws `WARP_E_UNENCODABLE` for what cannot be carried. */
export function encodeCommand(command: Command): Uint8Array {
  try {
    return encode(partsOf(command))
  } catch (error) {
    throw command.kind === 'write' && isWarpError(error, 'WARP_E_UNENCODABLE') ? namedIn(command, error) : error
  }
}

/** What cannot be carried, by its key and its place in what the caller gave, not by that in the record. */
function namedIn({ changes }: WriteCommand, error: WarpError): WarpError {
  for (const { key, parameters } of changes) {
    const refused = parameters.map(refusalOf).find((one) => one !== undefined)
    if (refused === undefined) continue
    const { code, message, details } = refused
    return new WarpError(code, `what is written to '${key}': ${message}`, { details: { ...details, key } })
  }
  return error
}

function refusalOf(parameter: Encodable): WarpError | undefined {
  try {
    encode(parameter)
    return undefined
  } catch (error) {
    return isWarpError(error, 'WARP_E_UNENCODABLE') ? error : undefined
  }
}

function partsOf(command: Command): Encodable {
  switch (command.kind) {
    case 'write': {
      const { expected, changes, fence } = command
      return [KIND.write, expected.map(encodeExpectation), changes.map(encodeChange), fence ?? 0]
    }
    case 'void':
      return [KIND.void, command.author, command.sequence, command.sinceMs]
    case 'bye':
      return [KIND.bye]
    case 'saved':
      return [KIND.saved, command.recordsCount, command.recordsBytes]
    default:
      return [KIND.lock, command.name, command.act, [...command.parameters]]
  }
}

function encodeExpectation(expected: Expectation): Encodable {
  return 'version' in expected ? [expected.key, expected.version] : [expected.key, expected.value]
}

function encodeChange({ key, strategy, verb, parameters, lifeMs }: Change): Encodable {
  return verb === undefined ? [key, strategy] : [key, strategy, lifeMs, verb, [...parameters]]
}

/**
 * Throws `WARP_E_PROTOCOL`, `WARP_E_LIMIT`, `WARP_E_UNENCODABLE` for what no replica takes for a record,
 * and `WARP_E_UNKNOWN_OP` for what a later version wrote.
 */
export function decodeRecord(bytes: Uint8Array): CommandRecord {
  const [version, author, first, floor, basisMs, commands] = expectArray(decode(bytes))
  if (typeof version === 'number' && version > RECORD_VERSION) throw later(`a record of version ${version}`)
  if (version !== RECORD_VERSION) throw malformed('version')
  const list = expectArray(commands)
  if (list.length > RECORD_COMMANDS_MAX) throw malformed('number of commands')
  return {
    author: expectReplica(author),
    first: expectCount(first),
    floor: expectCount(floor),
    basisMs: expectCount(basisMs),
    commands: list.map((command) => decodeCommand(command)),
  }
}

function decodeCommand(encoded: Encodable): Command {
  if (!(encoded instanceof Uint8Array)) throw malformed('command')
  const [kind, a, b, c] = expectArray(decode(encoded))
  switch (kind) {
    case KIND.write:
      return decodeWrite(a, b, c)
    case KIND.void:
      return { kind: 'void', author: expectReplica(a), sequence: expectCount(b), sinceMs: expectCount(c) }
    case KIND.bye:
      return { kind: 'bye' }
    case KIND.saved:
      return { kind: 'saved', recordsCount: expectCount(a), recordsBytes: expectCount(b) }
    case KIND.lock:
      return { kind: 'lock', name: expectText(a), act: expectText(b), parameters: expectArray(c) }
    default:
      throw typeof kind === 'number' ? later(`a command of kind ${kind}`) : malformed('kind of command')
  }
}

function decodeWrite(expected?: Encodable, changes?: Encodable, fence?: Encodable): WriteCommand {
  const write: WriteCommand = {
    kind: 'write',
    expected: expectArray(expected).map(decodeExpectation),
    changes: expectArray(changes).map(decodeChange),
    fence: expectCount(fence) || undefined,
  }
  const keys = new Set(write.changes.map(({ key }) => key))
  const isOnce = keys.size === write.changes.length
  if (!isOnce || keys.size > TRANSACTION_KEYS_MAX || write.expected.length > TRANSACTION_KEYS_MAX)
    throw malformed('list of keys')
  return write
}

function decodeExpectation(encoded: Encodable): Expectation {
  const [key, wanted] = expectArray(encoded)
  if (wanted instanceof Uint8Array) return { key: expectKey(key), value: wanted }
  return { key: expectKey(key), version: expectCount(wanted) }
}

function decodeChange(encoded: Encodable): Change {
  const [key, strategy, lifeMs, verb, parameters] = expectArray(encoded)
  const of = { key: expectKey(key), strategy: expectCount(strategy) }
  if (verb === undefined) return { ...of, parameters: [], lifeMs: 0 }
  return { ...of, lifeMs: expectCount(lifeMs), verb: expectText(verb), parameters: expectArray(parameters) }
}

/** Throws what no replica takes for a key. */
function expectKey(encoded: Encodable | undefined): string {
  const key = expectText(encoded)
  checkKey(key)
  return key
}

/**
 * Throws `WARP_E_LIMIT` for a value that no replica would take, before it is sent to all of them.
 * `bytes`: of the whole command.
 */
export function checkSizes(command: Command, bytes: number): void {
  if (command.kind !== 'write' || bytes <= VALUE_BYTES_MAX) return
  for (const { key, parameters } of command.changes) {
    const size = encode([...parameters]).length
    if (size <= VALUE_BYTES_MAX) continue
    throw new WarpError(
      'WARP_E_LIMIT',
      `what is written to '${key}' takes ${size} bytes, more than ${VALUE_BYTES_MAX}; split it over several keys`,
      { details: { key, bytes: size, limit: VALUE_BYTES_MAX } },
    )
  }
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `a record of the ordered log has a malformed ${what}`)
}

function later(what: string): WarpError {
  return new WarpError(
    'WARP_E_UNKNOWN_OP',
    `the ordered log holds ${what}, which a later version wrote; upgrade this one`,
  )
}

/** Whether a record must be left to a later build. */
export function isLater(error: unknown): boolean {
  return isWarpError(error, 'WARP_E_UNKNOWN_OP')
}
