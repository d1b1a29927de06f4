/**
 * W18, W22 of what is kept in a database, as users see it: a process sees what it has written itself,
 * once, and nobody ever sees what was refused.
 */
import { LISTS, LOADED, numbersOf, spaceOf } from '../../simulation/data/data-keys.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import { shortly } from '../../simulation/report/shown.ts'
import type { Checker, Violation } from '../checker.ts'
import { HALF_DONE, Reissued } from '../reissued.ts'
import { Remembered } from '../remembered.ts'
import { isCounter, isRefused, StoredWrites } from './stored-writes.ts'

/** A number that somebody has been shown of a key. */
interface Sight {
  readonly key: string
  readonly number: number
  readonly call: CallRecord
}

export function storedReadsChecker(): Checker {
  const writes = new StoredWrites()
  const reissued = new Reissued()
  /** By process and key: the numbers of its acknowledged writes. */
  const own = new Remembered<Set<number>>(() => new Set())
  /** Of reads under way: what they must show. */
  const expected = new Map<number, readonly number[]>()
  /** Each number that was ever shown of a key, with the first read that did. */
  const sights = new Map<string, Sight>()
  let halfDoneCount = 0

  function begins(call: CallRecord): void {
    writes.note(call)
    const { intent } = call
    if (intent.kind === 'read' && LISTS.includes(spaceOf(intent.key)))
      expected.set(call.id, [...own.of(processOf(call), intent.key)])
  }

  function ends(call: CallRecord): Violation[] {
    const { intent, outcome } = call
    if (outcome !== 'ok') return []
    if (intent.kind === 'write' && LISTS.includes(spaceOf(intent.key)))
      for (const number of numbersOf(intent.parameters.flat())) own.of(processOf(call), intent.key).add(number)
    return intent.kind === 'read' && isJudged(intent.key) ? shown(call, intent.key) : []
  }

  function shown(call: CallRecord, key: string): Violation[] {
    const numbers = numbersOf(call.value)
    const present = new Set(numbers)
    for (const number of present) {
      const name = `${key} ${number}`
      if (!sights.has(name)) sights.set(name, { key, number, call })
    }
    const violations: Violation[] = []
    if (present.size < numbers.length)
      violations.push(violation('W22', call, key, `shows something twice: ${shortly(numbers)}`))
    const missing = (expected.get(call.id) ?? []).filter((number) => !present.has(number))
    expected.delete(call.id)
    if (missing.length === 0) return violations
    if (reissued.isHalfDone(call.machine)) halfDoneCount++
    else violations.push(violation('W18', call, key, `does not show its own ${missing.join(', ')}`))
    return violations
  }

  function judge({ key, number, call }: Sight): Violation[] {
    const write = writes.find(key, number)
    if (write === undefined) return [violation('W22', call, key, `has shown ${number}, which nobody has written`)]
    if (!isRefused(write)) return []
    return [violation('W22', call, key, `has shown ${number}, which was refused (call ${write.id})`)]
  }

  return {
    name: 'W22',
    observe(event) {
      reissued.note(event)
      if (event.kind !== 'call') return undefined
      if (event.call.outcome !== 'pending') return ends(event.call)
      begins(event.call)
      return undefined
    },
    verify({ history }) {
      if (halfDoneCount > 0) history.exempt(HALF_DONE, halfDoneCount)
      halfDoneCount = 0
      return [...sights.values()].flatMap(judge)
    },
  }
}

function isJudged(key: string): boolean {
  return !LOADED.includes(spaceOf(key)) && !isCounter(key)
}

function processOf({ machine, life }: CallRecord): string {
  return `${machine}/${life}`
}

function violation(invariant: string, { machine, id }: CallRecord, key: string, what: string): Violation {
  return { invariant, message: `${machine} ${what} at ${key} (call ${id})`, key, machine }
}
