/**
 * W39: the token of a lock rises with each time that it is given: no two holders have one, and who asks
 * when another one has it already is given a greater one.
 */
import type { Hold } from '../../simulation/report/run-history.ts'
import type { Checker, Violation } from '../checker.ts'

const NAME = 'W39'

export function tokenChecker(): Checker {
  return {
    name: NAME,
    verify({ phase, history }) {
      if (phase !== 'quiesced' && phase !== 'restarted') return []
      const byName = new Map<string, Hold[]>()
      for (const hold of history.holds) byName.set(hold.name, [...(byName.get(hold.name) ?? []), hold])
      return [...byName.values()].flatMap(judge)
    },
  }
}

function judge(holds: readonly Hold[]): Violation[] {
  const found: Violation[] = []
  const owners = new Map<number, Hold>()
  const had = [...holds].sort((a, b) => a.fromMs - b.fromMs)
  let passed = 0
  let greatest: Hold | undefined
  for (const hold of [...holds].sort((a, b) => a.askedMs - b.askedMs)) {
    const other = owners.get(hold.token)
    if (other !== undefined) found.push(violation(hold, `has the token ${hold.token}, as ${nameOf(other)} had`))
    owners.set(hold.token, hold)
    for (let next = had[passed]; next !== undefined && next.fromMs < hold.askedMs; next = had[++passed])
      if (greatest === undefined || next.token > greatest.token) greatest = next
    if (greatest !== undefined && greatest.token >= hold.token && greatest !== hold)
      found.push(violation(hold, `has the token ${hold.token}, and ${nameOf(greatest)} had ${greatest.token} before`))
  }
  return found
}

function nameOf({ machine, call }: Hold): string {
  return `${machine} (call ${call})`
}

function violation(hold: Hold, message: string): Violation {
  return { invariant: NAME, message: `${hold.name}: ${nameOf(hold)} ${message}`, machine: hold.machine }
}
