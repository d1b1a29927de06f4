/**
 * A concurrent editing history, in the format of josephg/editing-traces: `txns[i].parents` are
 * indexes of earlier transactions, `patches` are [position, deleted, inserted], counted in code
 * points of the document that the parents and their ancestors make. Nothing in the file is trusted:
 * whatever is wrong with it is said with the place where it is.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { UsageError } from '../usage-error.ts'

export type Patch = readonly [position: number, deleted: number, inserted: string]

export interface Transaction {
  readonly parents: readonly number[]
  readonly agent: number
  readonly patches: readonly Patch[]
}

export interface Trace {
  readonly endContent: string
  readonly agentsCount: number
  readonly transactions: readonly Transaction[]
  /** Whether something was inserted that takes two UTF-16 units. */
  readonly hasSurrogates: boolean
}

/** Each author is a replica with files of its own. */
const AGENTS_MAX = 64

const SURROGATE = /[\ud800-\udfff]/

/** Throws {@link UsageError}. */
export function readTrace(path: string): Trace {
  return parseTrace(parsed(path, unpacked(path, stored(path))), path)
}

function stored(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

function unpacked(path: string, bytes: Buffer): Buffer {
  if (!path.endsWith('.gz')) return bytes
  try {
    return gunzipSync(bytes)
  } catch (error) {
    throw new UsageError(`${path} is not gzipped, as its name says: ${(error as Error).message}`, { cause: error })
  }
}

function parsed(path: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

function parseTrace(json: unknown, path: string): Trace {
  const malformed = (what: string): UsageError => new UsageError(`${path} is not a concurrent history: ${what}`)
  if (!isRecord(json)) throw malformed('it is not an object')
  const { endContent, txns } = json
  if (typeof endContent !== 'string') throw malformed('endContent is not a string')
  if (!Array.isArray(txns) || txns.length === 0) throw malformed('txns is not a list with entries')
  let agentsCount = 0
  txns.forEach((transaction: unknown, index) => {
    const wrong = faultOf(transaction, index)
    if (wrong !== undefined) throw malformed(`txns[${index}]: ${wrong}`)
    agentsCount = Math.max(agentsCount, (transaction as Transaction).agent + 1)
  })
  const transactions = txns as Transaction[] // each has just been checked
  const hasSurrogates = transactions.some(({ patches }) => patches.some(([, , inserted]) => SURROGATE.test(inserted)))
  return { endContent, agentsCount, transactions, hasSurrogates }
}

function faultOf(transaction: unknown, index: number): string | undefined {
  if (!isRecord(transaction)) return 'it is not an object'
  const { parents, agent, patches } = transaction
  if (!isCount(agent) || agent >= AGENTS_MAX) return `agent is not a number from 0 to ${AGENTS_MAX - 1}`
  if (!Array.isArray(parents) || !parents.every((parent) => isCount(parent) && parent < index)) {
    return 'parents is not a list of earlier transactions'
  }
  if (!Array.isArray(patches) || !patches.every(isPatch))
    return 'patches is not a list of [position, deleted, inserted]'
  return undefined
}

function isPatch(patch: unknown): boolean {
  if (!Array.isArray(patch) || patch.length !== 3) return false
  return isCount(patch[0]) && isCount(patch[1]) && typeof patch[2] === 'string'
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
