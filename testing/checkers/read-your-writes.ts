/**
 * W18: who has written something and been told that it is done sees it from then on, at the same
 * machine, for as long as it lives. Of a register he sees it or what has come after it, and so
 * never again what he had seen before.
 */
import { shortly, textOfIntent } from '../simulation/report/shown.ts'
import type { CallRecord } from '../simulation/report/run-history.ts'
import type { CallEvent, Checker, RunSubject, Violation } from './checker.ts'
import { elementsOf } from './grown-keys.ts'
import { type Look, Looks } from './looks.ts'
import { HALF_DONE } from './reissued.ts'
import { Remembered } from './remembered.ts'
import { SetOnce } from './set-once.ts'

/** A write that is done, known at this step. */
interface Done {
  readonly call: CallRecord
  readonly step: number
}

export function readYourWritesChecker(subject: RunSubject): Checker {
  const looks = new Looks(subject)
  const sets = new SetOnce(looks)
  /** By what was added, or by what the register showed when it was set. */
  const own = new Remembered(() => new Map<unknown, Done>())
  const shownBefore = new Map<CallRecord, unknown>()
  let halfDoneCount = 0

  function note({ call, peek }: CallEvent): void {
    const { intent, outcome } = call
    if (intent.kind !== 'write') return
    const { key } = intent
    if (outcome === 'pending' && sets.isJudged(key)) shownBefore.set(call, peek(key))
    if (outcome !== 'ok') return
    const done = { call, step: looks.step }
    const mine = own.of(lifeOf(call), key)
    for (const [element, add] of looks.grown.adds.get(key) ?? []) if (add === call) mine.set(element, done)
    const before = shownBefore.get(call)
    if (before !== undefined && before !== intent.parameters[0]) mine.set(before, done)
  }

  function judge(look: Look): Violation[] {
    const { key, value, since } = look
    if (looks.reissued.isHalfDone(look.machine)) {
      halfDoneCount++
      return []
    }
    const mine = own.of(lifeOf(look), key)
    const missing = [...mine].filter(([what, { step }]) => step <= since && isMissing(key, what, value))
    return missing.map(([what, done]) => {
      mine.delete(what)
      return violation(look, done)
    })
  }

  function isMissing(key: string, what: unknown, value: unknown): boolean {
    if (sets.isJudged(key)) return what === value && !sets.isReissued(key, value)
    return looks.grown.adds.has(key) && !elementsOf(value).has(what)
  }

  return {
    name: 'W18',
    observe(event) {
      sets.note(event)
      const violations = looks.of(event).flatMap(judge)
      if (event.kind === 'call') note(event)
      return violations
    },
    verify({ history }) {
      if (halfDoneCount > 0) history.exempt(HALF_DONE, halfDoneCount)
      halfDoneCount = 0
      return []
    },
  }
}

/** What a machine has written itself it issues again: taking over a state is no excuse. */
function lifeOf({ machine, life }: Pick<Look, 'machine' | 'life'>): string {
  return `${machine}/${life}`
}

function violation({ machine, key, value }: Look, { call }: Done): Violation {
  const what = `${textOfIntent(call.intent)} (call ${call.id})`
  return { invariant: 'W18', message: `${machine} does not see its own ${what}, but ${shortly(value)}`, key, machine }
}
