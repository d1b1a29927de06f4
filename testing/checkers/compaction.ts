/**
 * W27: compaction changes no read. Judged when all replicas at rest have been compacted and nobody
 * has written meanwhile: every value is as before, also when it is folded anew from what is left of
 * the log, and the past is as before wherever it is still told.
 */
import { Keyspaces } from '../../src/keys/keyspace.ts'
import type { RunHistory } from '../simulation/report/run-history.ts'
import { isSameShown, shownFrom, textOfShown } from '../simulation/report/shown.ts'
import type { Checker, MachineView, Moment, Shown, RunSubject, Violation } from './checker.ts'
import { type Sample, sampled } from './samples.ts'

/** 2200: all that has been written is older, whatever the clocks said. */
const LATE_MS = 7_258_118_400_000

interface Before {
  readonly sample: Sample
  readonly shown: Shown
}

export function compactionChecker(subject: RunSubject): Checker {
  const keyspaces = new Keyspaces(subject.keys, true)
  let values: ReadonlyMap<string, MachineView> = new Map()
  let pasts: readonly Before[] = []

  /** What expires may do so at any time. */
  function isLasting(key: string): boolean {
    return keyspaces.find(key)?.ttlMs === 0
  }

  /** There is nothing left that could say that there was something. */
  function isForgotten({ kind }: Shown, key: string): boolean {
    return kind === 'absent' && keyspaces.find(key)?.retain !== 'all'
  }

  function changed(view: MachineView): Violation[] {
    const before = values.get(view.name)
    return [...view.values].flatMap(([key, shown]) => {
      const earlier = before?.values.get(key)
      if (earlier === undefined || isSameShown(earlier, shown) || !isLasting(key)) return []
      return [violation(view, key, `showed ${textOfShown(earlier)} and shows ${textOfShown(shown)}`)]
    })
  }

  async function judgePast({ sample, shown }: Before, history: RunHistory): Promise<Violation[]> {
    const { key, at, asked } = sample
    const violations: Violation[] = []
    const now = await shownFrom(() => asked.warp.getAt(key, at))
    const isOther = !isSameShown(shown, now) && !isGone(now)
    if (isOther && isForgotten(now, key))
      history.exempt('a key that was forgotten says of its past that there was nothing')
    else if (isOther)
      violations.push(violation(asked, key, `was ${textOfShown(shown)} at ${at.timeMs} and is ${textOfShown(now)}`))
    const folded = await shownFrom(() => asked.warp.getAt(key, { timeMs: LATE_MS }))
    const value = await shownFrom(() => asked.warp.get(key))
    if (isLasting(key) && !isSameShown(folded, value))
      violations.push(violation(asked, key, `shows ${textOfShown(value)}, and its log ${textOfShown(folded)}`))
    return violations
  }

  async function judge(moment: Moment): Promise<Violation[]> {
    const violations = moment.machines.flatMap(changed)
    for (const past of pasts) violations.push(...(await judgePast(past, moment.history)))
    return violations
  }

  async function remember(moment: Moment): Promise<void> {
    values = new Map(moment.machines.map((view) => [view.name, view]))
    const shown = (sample: Sample): Promise<Shown> => shownFrom(() => sample.asked.warp.getAt(sample.key, sample.at))
    pasts = await Promise.all(sampled(moment).map(async (sample) => ({ sample, shown: await shown(sample) })))
  }

  return {
    name: 'W27',
    async verify(moment) {
      if (moment.phase === 'quiesced') await remember(moment)
      return moment.phase === 'compacted' ? judge(moment) : []
    },
  }
}

function isGone(shown: Shown): boolean {
  return shown.kind === 'error' && shown.code === 'WARP_E_HISTORY'
}

function violation({ name }: MachineView, key: string, what: string): Violation {
  return { invariant: 'W27', message: `${name} ${what} at ${key} after compaction`, key, machine: name }
}
