/**
 * W34: a version names one value of a key for ever, on every replica; of all that expect one version, one
 * wins at most; and a replica does not go back to an older one while its process lives.
 */
import type { CasAnswer, VersionedAnswer } from '../../simulation/order/order-intent.ts'
import { shortly, textOfValue } from '../../simulation/report/shown.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import type { Checker, Moment, Violation } from '../checker.ts'
import { Resolutions } from './resolved.ts'

const NAME = 'W34'

export function versionChecker(): Checker {
  return {
    name: NAME,
    verify: (moment) => (moment.phase === 'restarted' || moment.phase === 'quiesced' ? judge(moment) : []),
  }
}

function judge({ history }: Moment): readonly Violation[] {
  const resolutions = new Resolutions(history)
  const values = new Values()
  const winners = new Winners()
  const looks = new Looks()
  const found: Violation[] = []
  for (const call of [...history.calls].sort((a, b) => a.endedMs - b.endedMs)) {
    found.push(...values.note(call), ...looks.note(call))
    if (resolutions.outcome(call) === 'ok') found.push(...winners.note(call))
  }
  return found
}

/** What each version was seen to be. */
class Values {
  readonly #all = new Map<string, { readonly text: string; readonly call: CallRecord }>()

  note(call: CallRecord): Violation[] {
    const seen = seenBy(call)
    if (seen === undefined || seen.version === 0) return []
    const name = `${seen.key} ${seen.version}`
    const text = textOfValue(seen.value)
    const before = this.#all.get(name)
    if (before === undefined) this.#all.set(name, { text, call })
    if (before === undefined || before.text === text) return []
    const message = `version ${seen.version} of ${seen.key} is ${shortly(seen.value)} to ${nameOf(call)}, and something else to ${nameOf(before.call)}`
    return [{ invariant: NAME, message, key: seen.key, machine: call.machine }]
  }
}

/** Who has won with a version that was expected. 0, which is no value, can come again. */
class Winners {
  readonly #all = new Map<string, CallRecord>()

  note(call: CallRecord): Violation[] {
    const { intent, value, outcome } = call
    if (intent.kind !== 'cas' || intent.expected === undefined || intent.expected === 'absent') return []
    if (!('version' in intent.expected) || intent.expected.version === 0) return []
    if (outcome === 'ok' && 'conflict' in (value as CasAnswer)) return []
    const name = `${intent.key} ${intent.expected.version}`
    const before = this.#all.get(name)
    this.#all.set(name, call)
    if (before === undefined) return []
    const message = `${nameOf(before)} and ${nameOf(call)} have both replaced version ${intent.expected.version} of ${intent.key}`
    return [{ invariant: NAME, message, key: intent.key }]
  }
}

/** Within one life, and only of calls that followed each other. */
class Looks {
  readonly #newest = new Map<string, { readonly version: number; readonly call: CallRecord }[]>()

  note(call: CallRecord): Violation[] {
    const seen = seenBy(call)
    if (seen === undefined || seen.version === 0) return []
    const session = `${call.machine} ${call.life} ${seen.key}`
    const known = this.#newest.get(session) ?? []
    this.#newest.set(session, known)
    const later = known.find((one) => one.call.endedMs < call.startedMs && one.version > seen.version)
    if (!known.some(({ version }) => version >= seen.version)) known.push({ version: seen.version, call })
    if (later === undefined) return []
    const message = `${nameOf(call)} has found version ${seen.version} of ${seen.key}, where ${nameOf(later.call)} had found ${later.version} before`
    return [{ invariant: NAME, message, key: seen.key, machine: call.machine }]
  }
}

interface SeenVersion {
  readonly key: string
  readonly version: number
  readonly value: unknown
}

/** The version and the value that a call has seen, or has made. */
function seenBy({ intent, outcome, value, receipt }: CallRecord): SeenVersion | undefined {
  if (outcome !== 'ok') return undefined
  if (intent.kind === 'versioned' || intent.kind === 'stale') return { key: intent.key, ...(value as VersionedAnswer) }
  if (intent.kind === 'cas') {
    const answer = value as CasAnswer
    return 'version' in answer ? { key: intent.key, version: answer.version, value: intent.next } : undefined
  }
  if (intent.kind !== 'write' || intent.verb !== 'set' || receipt === undefined) return undefined
  return { key: intent.key, version: receipt.version, value: intent.parameters[0] }
}

function nameOf({ id, machine }: CallRecord): string {
  return `call ${id} at ${machine}`
}
