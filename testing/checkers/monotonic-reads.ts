/**
 * W19: what a machine has shown in one life it does not take back in it: an element of what only
 * grows stays, and a register that has been seen to move on does not return to a former value.
 */
import { shortly } from '../simulation/report/shown.ts'
import type { Checker, RunSubject, Violation } from './checker.ts'
import { elementsOf } from './grown-keys.ts'
import { type Look, Looks } from './looks.ts'
import { Remembered } from './remembered.ts'
import { SetOnce } from './set-once.ts'

interface Seen {
  value: unknown
  /**
   * Elements that have been there, or values that the register has left behind, each with the step
   * at which that was known.
   */
  readonly steps: Map<unknown, number>
}

export function monotonicReadsChecker(subject: RunSubject): Checker {
  const looks = new Looks(subject)
  const sets = new SetOnce(looks)
  const seen = new Remembered<Seen>(() => ({ value: undefined, steps: new Map() }))

  function grown(look: Look, before: Seen): Violation[] {
    if (look.value === before.value) return []
    before.value = look.value
    const elements = elementsOf(look.value)
    const gone = [...before.steps].filter(([element, step]) => step <= look.since && !elements.has(element))
    for (const [element] of gone) before.steps.delete(element)
    for (const element of elements) if (!before.steps.has(element)) before.steps.set(element, looks.step)
    return gone.map(([element]) => violation(look, `has taken back ${shortly(element)}`))
  }

  function moved(look: Look, before: Seen): Violation[] {
    const { value, since } = look
    if (value === undefined || value === before.value) return []
    const leftAt = before.steps.get(value)
    if (leftAt === undefined) {
      if (before.value !== undefined) before.steps.set(before.value, looks.step)
      before.value = value
    }
    // A slow read may tell of what was left behind while it ran.
    if (leftAt === undefined || leftAt > since || sets.isReissued(look.key, value)) return []
    before.steps.delete(value)
    return [violation(look, `has gone back to ${shortly(value)} from ${shortly(before.value)}`)]
  }

  function judge(look: Look): Violation[] {
    const before = seen.of(look.session, look.key)
    if (looks.grown.adds.has(look.key)) return grown(look, before)
    return sets.isJudged(look.key) ? moved(look, before) : []
  }

  return {
    name: 'W19',
    observe(event) {
      sets.note(event)
      return looks.of(event).flatMap(judge)
    },
    verify: () => [],
  }
}

function violation({ machine, key }: Look, what: string): Violation {
  return { invariant: 'W19', message: `${machine} ${what} at ${key}`, key, machine }
}
