/**
 * W01 of what is strong: at rest every replica has the same value and the same version of each strong key,
 * also when it has been started anew, and the same locks with the same holders.
 */
import type { VersionedAnswer } from '../../simulation/order/order-intent.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import { shortly, textOfValue } from '../../simulation/report/shown.ts'
import type { Checker, Violation } from '../checker.ts'

const NAME = 'W01'

export function strongStateChecker(): Checker {
  return {
    name: NAME,
    verify({ phase, history }) {
      if (phase !== 'quiesced' && phase !== 'restarted') return []
      const asked = history.calls.filter(({ startedMs, outcome }) => startedMs >= history.restedMs && outcome === 'ok')
      const locks = asked.filter(({ intent, startedMs }) => intent.kind === 'locks' && startedMs >= history.askedMs)
      return [...differences(asked.flatMap(versioned)), ...differences(locks.map(lockList))]
    },
  }
}

interface Answer {
  readonly call: CallRecord
  readonly about: string
  readonly text: string
  readonly shown: string
}

function versioned(call: CallRecord): Answer[] {
  if (call.intent.kind !== 'versioned') return []
  const { value, version } = call.value as VersionedAnswer
  const text = `${version} ${value === undefined ? '' : textOfValue(value)}`
  return [{ call, about: call.intent.key, text, shown: `${shortly(value)} with version ${version}` }]
}

/** Who holds and waits now; what is over may be there until somebody looks, on all of them alike. */
function lockList(call: CallRecord): Answer {
  const shown = JSON.stringify(call.value)
  return { call, about: 'locks', text: shown, shown }
}

function differences(answers: readonly Answer[]): Violation[] {
  const first = new Map<string, Answer>()
  return answers.flatMap((answer): Violation[] => {
    const before = first.get(answer.about)
    first.set(answer.about, before ?? answer)
    if (before === undefined || before.text === answer.text) return []
    const { machine } = answer.call
    const message = `${answer.about}: ${before.call.machine} has ${before.shown}, ${machine} ${answer.shown}`
    return [{ invariant: NAME, message, machine }]
  })
}
