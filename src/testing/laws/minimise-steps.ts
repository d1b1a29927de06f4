/**
 * Makes a history that breaks a law shorter, until no step can be left out and no number be made smaller. What shrinks random values knows nothing of
 * histories: it leaves steps in that only looked needed while others were there.
 *
 * Cost: at most `EXAMINATIONS_MAX` histories played.
 */
import type { LawStep } from './law-history.ts'

const EXAMINATIONS_MAX = 400

/** `breaks` tells whether a history still does. Those that do are the last that it was called with, so it may keep what it saw. */
export function minimiseSteps(steps: readonly LawStep[], breaks: (steps: readonly LawStep[]) => boolean): void {
  let left = EXAMINATIONS_MAX
  let current = steps
  const attempt = (shorter: readonly LawStep[]): boolean => {
    if (left-- <= 0 || !breaks(shorter)) return false
    current = shorter
    return true
  }
  for (let before: readonly LawStep[] = []; before !== current;) {
    before = current
    for (let i = current.length - 1; i >= 0; i--) attempt(current.toSpliced(i, 1))
    for (let i = 0; i < current.length; i++) {
      const step = current[i] as LawStep
      simplerSteps(step).some((simpler) => attempt(current.with(i, simpler)))
    }
  }
}

function simplerSteps(step: LawStep): LawStep[] {
  const simpler: LawStep[] = []
  if ('gap' in step && step.gap > 0) simpler.push({ ...step, gap: 0 })
  if ('skew' in step && step.skew > 0) simpler.push({ ...step, skew: 0 }, { ...step, skew: step.skew - 1 })
  if ('pick' in step && step.pick > 0) simpler.push({ ...step, pick: 0 }, { ...step, pick: step.pick - 1 })
  if (step.at > 0) simpler.push({ ...step, at: step.at - 1 })
  return simpler
}
