import { expect, test } from 'vitest'
import { REFUSALS_REPORT_MS, Refusals } from '../../../adapters/mesh/contacts/refusals.ts'
import type { TransportReport } from '../../../src/index.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

function refusals(): { readonly env: VirtualEnv; readonly reports: TransportReport[]; readonly counted: Refusals } {
  const env = virtualEnv()
  const reports: TransportReport[] = []
  return { env, reports, counted: new Refusals({ clock: env, report: (report) => void reports.push(report) }) }
}

function counts(forgedCount: number, replayedCount: number, malformedCount: number): TransportReport {
  return { kind: 'packets:refused', forgedCount, replayedCount, malformedCount }
}

test('the first refusal is reported at once', () => {
  const { reports, counted } = refusals()
  counted.count('forged')
  expect(reports).toEqual([counts(1, 0, 0)])
})

test('those of the minute after a report are reported together at its end', async () => {
  const { env, reports, counted } = refusals()
  for (const kind of ['forged', 'replayed', 'replayed', 'malformed'] as const) counted.count(kind)
  await env.advance(REFUSALS_REPORT_MS - 1)
  expect(reports).toHaveLength(1)
  await env.advance(1)
  expect(reports).toEqual([counts(1, 0, 0), counts(0, 2, 1)])
})

test('a quiet minute reports nothing, and the next refusal is told at once again', async () => {
  const { env, reports, counted } = refusals()
  counted.count('malformed')
  await env.advance(REFUSALS_REPORT_MS)
  expect(env.timerCount).toBe(0)
  counted.count('malformed')
  expect(reports).toEqual([counts(0, 0, 1), counts(0, 0, 1)])
})

test('closing reports what is left, and leaves no timer', () => {
  const { env, reports, counted } = refusals()
  counted.count('forged')
  counted.count('replayed')
  counted.close()
  counted.count('forged')
  expect(reports).toEqual([counts(1, 0, 0), counts(0, 1, 0)])
  expect(env.timerCount).toBe(0)
})
