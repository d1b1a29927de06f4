/**
 * W28: the past is the same for everybody, and it is the fold of the operations up to then. When
 * the replicas are at rest, some keys are asked what they were in the middle of the run: those who
 * answer answer alike, and where everything is retained, everybody answers, and as the naive fold
 * (src/audit) does over the key's log. Who does not answer says that the operations have been
 * compacted.
 */
import { hlcAtEndOfMs } from '../../crdt/time/hlc.ts'
import { naiveFold, emptyBase } from '../../src/audit/naive-fold.ts'
import { finishNow, UNBOUNDED } from '../../src/operation/budget.ts'
import { type Keyspace, Keyspaces } from '../../src/keys/keyspace.ts'
import type { At } from '../../src/history/explanation.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { KeptOperation, OperationRecord } from '../../src/store/kept-operation.ts'
import { isSameShown, shownFrom, textOfShown } from '../simulation/report/shown.ts'
import type { Checker, Moment, Shown, RunSubject, Violation } from './checker.ts'
import { isShared } from './convergence.ts'
import { rottenMachines } from './rotten.ts'
import { type Sample, sampled } from './samples.ts'

export function pastChecker({ keys }: RunSubject): Checker {
  const keyspaces = new Keyspaces(keys, true)
  return {
    name: 'W28',
    async verify(moment) {
      if (moment.phase !== 'quiesced') return []
      const violations: Violation[] = []
      for (const sample of sampled(moment))
        violations.push(...(await judge(moment, sample, keyspaces.find(sample.key))))
      return violations
    },
  }
}

const COMPACTED = 'WARP_E_HISTORY'
const DAMAGED = 'WARP_E_LOG_CORRUPT'

async function judge(moment: Moment, sample: Sample, keyspace: Keyspace | undefined): Promise<Violation[]> {
  if (keyspace === undefined) return []
  const isWhole = keyspace.retain === 'all'
  const rotten = rottenMachines(moment.history)
  const violations: Violation[] = []
  let first: Answer | undefined
  for (const { name, warp } of moment.machines) {
    const answer = { name, shown: await shownFrom(() => warp.getAt(sample.key, sample.at)) }
    if (answer.shown.kind !== 'error' && isShared(keyspace)) first ??= answer
    const wrong = refused(answer, isWhole) ?? different(first, answer)
    if (wrong === undefined) continue
    const excuse = excused({ answer, first, isWhole, isRotten: rotten.has(name) })
    if (excuse === undefined) violations.push(violation(sample, name, wrong))
    else moment.history.exempt(excuse)
  }
  if (isWhole && keyspace.ttlMs === 0 && !rotten.has(sample.asked.name))
    violations.push(...(await replay(sample, keyspace)))
  return violations
}

interface Answer {
  readonly name: string
  readonly shown: Shown
}

interface Judged {
  readonly answer: Answer
  readonly first: Answer | undefined
  readonly isWhole: boolean
  readonly isRotten: boolean
}

/** Why an answer that is wrong is no violation; `undefined` if it is one. */
function excused({ answer, first, isWhole, isRotten }: Judged): string | undefined {
  const { shown } = answer
  if (isRotten && shown.kind === 'error' && shown.code === DAMAGED) return 'what has rotted cannot be read'
  if (!isWhole && isForgotten(first, answer)) return 'a key that was forgotten says of its past that there was nothing'
  return undefined
}

/** Nothing is left at one of them that could say that there was something. */
function isForgotten(first: Answer | undefined, answer: Answer): boolean {
  return first?.shown.kind === 'absent' || answer.shown.kind === 'absent'
}

function different(first: Answer | undefined, { shown }: Answer): string | undefined {
  if (first === undefined || shown.kind === 'error' || isSameShown(first.shown, shown)) return undefined
  return `${textOfShown(shown)}, and ${first.name} ${textOfShown(first.shown)}`
}

function refused({ shown }: Answer, isWhole: boolean): string | undefined {
  if (shown.kind !== 'error') return undefined
  if (shown.code !== COMPACTED) return shown.code
  return isWhole ? `${shown.code}, though all is retained` : undefined
}

/** What the log says, folded in the plainest way, by time and by version. */
async function replay({ key, at, asked }: Sample, keyspace: Keyspace): Promise<Violation[]> {
  const { name, warp } = asked
  const operations: OperationRecord[] = []
  for await (const operation of warp.log(key)) operations.push(operation)
  const half = { version: Math.ceil(operations.length / 2) }
  const end = hlcAtEndOfMs(at.timeMs)
  const pasts: readonly (readonly [At, readonly OperationRecord[]])[] = [
    [at, operations.filter(({ hlc }) => hlc <= end)],
    [half, operations.slice(0, half.version)],
  ]
  const violations: Violation[] = []
  for (const [moment, before] of pasts) {
    const [shown, wanted] = [
      await shownFrom(() => warp.getAt(key, moment)),
      await shownFrom(() => folded(keyspace, before)),
    ]
    if (isSameShown(shown, wanted)) continue
    violations.push(violation({ key, at: moment }, name, `${textOfShown(shown)}, its log ${textOfShown(wanted)}`))
  }
  return violations
}

function folded({ strategy, lifeMs }: Keyspace, operations: readonly OperationRecord[]): unknown {
  const plain = operations.map(({ dot, hlc, kind, payload, context, lifeMs: own = 0, origin }, i) => ({
    ...dot,
    hlc,
    isDelete: kind === 'delete',
    isTouch: kind === 'touch',
    payload,
    context: new Map(context),
    isExact: (operations[i] as KeptOperation).isExact,
    dots: (operations[i] as KeptOperation).dots,
    origin,
    // Of who has left the context says nothing any more.
    ended: {
      isSeen: (replica: ReplicaId) => (operations[i] as KeptOperation).hasSeen({ replica, sequence: Infinity }),
    },
    lifeMs: own,
  }))
  const { state, present } = finishNow(
    naiveFold({ strategy, base: emptyBase(strategy), operations: plain, lifeMs }, UNBOUNDED),
  )
  return present ? (strategy.read(state) as unknown) : undefined
}

function violation({ key, at }: { readonly key: string; readonly at: At }, machine: string, what: string): Violation {
  return { invariant: 'W28', message: `${machine} shows at ${key} as of ${JSON.stringify(at)} ${what}`, key, machine }
}
