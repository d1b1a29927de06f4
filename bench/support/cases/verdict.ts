/** What came of a case: it ends in time, whatever the contestant does. */
import { setTimeout as pause } from 'node:timers/promises'

/** The case went otherwise than it should: what was read. */
class Otherwise extends Error {}

/** Throws what was read, unless it is right. */
export function expect(isRight: boolean, otherwise: string): void {
  if (!isRight) throw new Otherwise(otherwise)
}

/** A case may wait so long for one answer. */
export const PATIENCE_MS = 5000
/** For all of its steps. */
const CASE_MS = 40_000

/** The answer, which has to come in time. */
export async function answer<Value>(asked: Promise<Value>, what: string, withinMs = PATIENCE_MS): Promise<Value> {
  const late = new AbortController()
  const timer = pause(withinMs, undefined, { signal: late.signal, ref: false }).then(() => {
    throw new Otherwise(`${what}: no answer in ${withinMs / 1000} s`)
  })
  timer.catch(() => undefined)
  try {
    return await Promise.race([asked, timer])
  } finally {
    late.abort()
  }
}

/** What comes together after a cut does so within this time. */
const TOGETHER_MS = 20_000

/** Looks until it is that, or too late. */
export async function become(look: () => Promise<string>, wanted: string): Promise<string> {
  const until = performance.now() + TOGETHER_MS
  for (;;) {
    const now = await look()
    if (now === wanted || performance.now() > until) return now
    await pause(50)
  }
}

export interface Verdict {
  readonly isRight: boolean
  /** For the table. */
  readonly text: string
}

/** Passes if its steps do, and nobody has left a rejection behind. */
export async function judged(steps: () => Promise<void>): Promise<Verdict> {
  const left: unknown[] = []
  const note = (error: unknown): void => void left.push(error)
  process.on('unhandledRejection', note)
  try {
    await answer(steps(), 'the case', CASE_MS)
    // They are told in a turn of their own.
    await pause(10)
    expect(left.length === 0, 'right answers')
    return { isRight: true, text: 'passes' }
  } catch (error) {
    await pause(10)
    const said = error instanceof Otherwise ? error.message : `threw "${shortened(error)}"`
    const rejected = left.length === 0 ? '' : `, and an unhandled rejection: "${shortened(left[0])}"`
    return { isRight: false, text: `fails: ${said}${rejected}` }
  } finally {
    process.off('unhandledRejection', note)
  }
}

const TEXT_MAX = 80

function shortened(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replaceAll(/[\s|]+/g, ' ')
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text
}
