/**
 * Makes a history that breaks a law shorter, until no step and no two steps can be left out and no
 * number be made smaller. What shrinks random values knows nothing of histories: it leaves steps in
 * that only looked needed while others were there.
 *
 * Cost: at most `EXAMINATIONS_MAX` histories played, usually a few dozen.
 */
import type { LawStep } from './law-history.ts'

const EXAMINATIONS_MAX = 600

/**
 * `breaks` tells whether a history still does. Those that do are the last that it was called with,
 * so it may keep what it saw.
 */
export function minimiseSteps(steps: readonly LawStep[], breaks: (steps: readonly LawStep[]) => boolean): void {
  let left = EXAMINATIONS_MAX
  let current = steps
  const attempt = (simpler: readonly LawStep[]): boolean => {
    if (left-- <= 0 || !breaks(simpler)) return false
    current = simpler
    return true
  }
  let before: readonly LawStep[]
  do {
    before = current
    // From the last to the first: what is left out moves nothing that is still to come.
    for (let i = current.length - 1; i >= 0; i--) leaveOut(current, [i], attempt)
    for (let i = 0; i < current.length; i++) {
      const step = current[i] as LawStep
      simplerSteps(step).some((simpler) => attempt(current.with(i, simpler)))
    }
    if (before === current) pairsOf(current.length).some((pair) => leaveOut(current, pair, attempt))
  } while (before !== current)
}

/**
 * Without these steps; if they had driven a clock to where another one was, with all clocks at the
 * start.
 */
function leaveOut(
  steps: readonly LawStep[],
  places: readonly number[],
  attempt: (simpler: readonly LawStep[]) => boolean,
): boolean {
  const shorter = steps.filter((_, i) => !places.includes(i))
  return attempt(shorter) || attempt(shorter.map((step) => ('wall' in step ? { ...step, wall: 0 } : step)))
}

function pairsOf(count: number): (readonly [number, number])[] {
  const places = Array.from({ length: count }, (_, i) => i)
  return places.flatMap((i) => places.slice(i + 1).map((j) => [i, j] as const))
}

function simplerSteps(step: LawStep): LawStep[] {
  const simpler: LawStep[] = []
  if ('gap' in step && step.gap > 0) simpler.push({ ...step, gap: 0 })
  if ('wall' in step && step.wall > 0) simpler.push({ ...step, wall: 0 }, { ...step, wall: step.wall - 1 })
  if ('pick' in step && step.pick > 0) simpler.push({ ...step, pick: 0 }, { ...step, pick: step.pick - 1 })
  if (step.at > 0) simpler.push({ ...step, at: step.at - 1 })
  return simpler
}
