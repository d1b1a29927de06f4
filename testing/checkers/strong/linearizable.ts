/**
 * W33: what was told of each strong key can be put in one order, each call between its beginning and its
 * end, by the model of a key that takes one call at a time. A write whose answer was lost counts, does
 * not, or may, as `resolve` says.
 */
import { HistoryRecorder, type OpenCall, type RecordedCall } from '../../history/recorder.ts'
import type { Json } from '../../history/json.ts'
import { checkLinearizability } from '../../linearizability/check-linearizability.ts'
import type { CasAnswer, VersionedAnswer } from '../../simulation/order/order-intent.ts'
import { JUDGED } from '../../simulation/order/order-keys.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import type { CallEvent, Checker, Moment, RunEvent, Violation } from '../checker.ts'
import { strongKeyModel } from './strong-key-model.ts'

const NAME = 'W33'
/** Of one key; beyond, it is not decided. */
const STEPS_MAX = 300_000

export function linearizabilityChecker(): Checker {
  return new Linearizability()
}

class Linearizability implements Checker {
  readonly name = NAME
  readonly #recorder = new HistoryRecorder()
  readonly #open = new Map<number, OpenCall>()
  /** Those that may be resolved. */
  readonly #unknown = new Map<number, OpenCall>()

  observe(event: RunEvent): undefined {
    if (event.kind === 'call') this.#note(event)
  }

  verify({ phase, history }: Moment): readonly Violation[] {
    if (phase !== 'quiesced' && phase !== 'restarted') return []
    const verdict = checkLinearizability(this.#recorder.history(), strongKeyModel, { stepsMax: STEPS_MAX })
    if (verdict.kind === 'undecided') history.exempt('keys of which it is not decided whether they are linearizable')
    if (verdict.kind !== 'violation') return []
    return [{ invariant: NAME, message: verdict.text, key: verdict.key }]
  }

  #note({ call }: CallEvent): void {
    if (call.intent.kind === 'resolve') this.#resolve(call)
    else if (call.outcome === 'pending') this.#begin(call)
    else this.#end(call)
  }

  #begin(call: CallRecord): void {
    const recorded = recordedOf(call)
    if (recorded !== undefined) this.#open.set(call.id, this.#recorder.invoke(`call ${call.id}`, recorded))
  }

  #end(call: CallRecord): void {
    const open = this.#open.get(call.id)
    if (open === undefined) return
    this.#open.delete(call.id)
    if (call.outcome === 'ok') open.ok({ is: answerOf(call), atMs: call.endedMs })
    else if (call.outcome === 'failed') open.failed()
    // It may still be told what became of it.
    else if (call.dot !== undefined) this.#unknown.set(call.id, open)
    else open.indeterminate()
  }

  #resolve({ intent, outcome, value, endedMs }: CallRecord): void {
    if (intent.kind !== 'resolve' || outcome !== 'ok' || intent.of === undefined) return
    const open = this.#unknown.get(intent.of)
    if (open === undefined || (value !== 'ok' && value !== 'failed')) return
    this.#unknown.delete(intent.of)
    if (value === 'ok') open.ok({ is: null, atMs: endedMs })
    else open.failed()
  }
}

/** `undefined` of what is no call of one key that is judged. */
function recordedOf({ intent, startedMs: atMs }: CallRecord): RecordedCall | undefined {
  if (!('key' in intent) || !JUDGED.includes(intent.key.slice(0, intent.key.indexOf(':')))) return undefined
  const { key } = intent
  const call = (f: string, of: Json): RecordedCall => ({ f, key, value: { of, atMs } })
  switch (intent.kind) {
    case 'read':
      return call('get', null)
    case 'versioned':
      return call('getVersioned', null)
    case 'delete':
      return call('delete', null)
    case 'write':
      return call(intent.verb, intent.parameters[0] as Json)
    case 'cas':
      return call('cas', [intent.expected ?? 'absent', intent.next])
    case 'update':
      return call('update', intent.add)
    default:
      return undefined
  }
}

function answerOf({ intent, value, receipt }: CallRecord): Json {
  switch (intent.kind) {
    case 'read':
      return plain(value)
    case 'versioned': {
      const { value: held, version } = value as VersionedAnswer
      return [plain(held), version]
    }
    case 'cas': {
      const answer = value as CasAnswer
      return 'conflict' in answer ? { conflict: answer.conflict } : answer.version
    }
    case 'update':
      return value as number
    default:
      return receipt?.version ?? null
  }
}

/** As the model has it: what holds nothing is no value. */
function plain(value: unknown): Json {
  if (value === 0) return null
  if (value instanceof Set) return value.size === 0 ? null : [...(value as Set<number>)].sort((a, b) => a - b)
  return (value as Json | undefined) ?? null
}
