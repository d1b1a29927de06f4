/** What `simulate` says to those who use it wrongly, and what it shows to those who use it. */
import { describe, expect, test } from 'vitest'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import {
  FAULT_KINDS,
  simulate,
  type SimulatedIntent,
  type SimulateOptions,
  SimulationTotals,
  type Workload,
} from '../../testing/index.ts'

const KEYS = { 'tickets:*': counter(), 'page:*': register<number>(), 'seats:*': boundedCounter({ min: 0 }) }
const QUIET: SimulateOptions = { keys: KEYS, faults: [], replicas: 2, seconds: 5 }

const sell: Workload = () => ({ kind: 'write', key: 'tickets:jazz', verb: 'increment', parameters: [1] })

/** Reading now and then, so that not everything is wrong. */
function now(intent: unknown): Workload {
  let count = 0
  return () => (++count % 3 === 0 ? (intent as SimulatedIntent) : { kind: 'read', key: 'tickets:jazz' })
}

const failedDisk = Object.assign(new Error('a failed disk'), { code: 'EIO' })

/** A strategy whose only verb throws. */
function selling(error: Error): AnyStrategy {
  const sell = (): never => {
    throw error
  }
  return { ...counter(), verbs: { sell } }
}

async function refusal(options: SimulateOptions): Promise<string> {
  const error: unknown = await simulate({ ...QUIET, workload: sell, ...options }).catch((thrown: unknown) => thrown)
  return isWarpError(error) ? `${error.code} ${error.message}` : `no refusal: ${String(error)}`
}

describe('a workload that can never work is refused', () => {
  const WRONG: readonly (readonly [what: string, intent: unknown, message: string])[] = [
    ['nothing', undefined, 'the workload returned undefined; it returns one of { kind:'],
    ['a promise', Promise.resolve(), 'the workload returned a promise'],
    [
      'an unknown kind',
      { kind: 'rite', key: 'a' },
      'the workload returned {"kind":"rite","key":"a"}; it returns one of',
    ],
    [
      'a verb of nobody',
      { kind: 'write', key: 'tickets:jazz', verb: 'sell', parameters: [2] },
      "the workload wants 'tickets:jazz sell(2)': 'tickets:*' is a counter, which has no verb 'sell'; use increment, decrement",
    ],
    [
      'a method of handles that is no verb',
      { kind: 'write', key: 'tickets:jazz', verb: 'delete', parameters: [] },
      "has no verb 'delete'",
    ],
    [
      'a verb with parameters that are no list',
      { kind: 'write', key: 'tickets:jazz', verb: 'increment', parameters: 2 },
      'its parameters are no array',
    ],
    [
      'a key that no pattern matches',
      { kind: 'read', key: 'tikets:jazz' },
      "the workload wants 'read tikets:jazz': no pattern matches the key; use one that is matched by 'tickets:*', 'page:*', 'seats:*'",
    ],
    [
      'an acknowledgement that does not exist',
      { kind: 'delete', key: 'tickets:jazz', ack: 'all' },
      'its ack is none of',
    ],
    ['a delete that is refused', { kind: 'delete', key: 'seats:a' }, 'is a bounded-counter, which cannot be deleted'],
    ['no moment to read at', { kind: 'getAt', key: 'tickets:jazz', at: 7 }, 'its form is { kind: '],
    [
      'a watch without an end',
      { kind: 'watch', pattern: 'tickets:*' },
      "its form is { kind: 'watch', pattern, takeMax }",
    ],
    ['a watch of no pattern', { kind: 'watch', pattern: '', takeMax: 1 }, 'answers WARP_E_PATTERN: '],
    [
      'a value that cannot be carried',
      { kind: 'write', key: 'page:a', verb: 'set', parameters: [() => 1] },
      'answers WARP_E_UNENCODABLE: ',
    ],
  ]
  test.each(WRONG)('%s', async (_, intent, message) => {
    const text = await refusal({ workload: now(intent) })
    expect(text).toMatch(/^WARP_E_CONFIG simulate: /)
    expect(text).toContain(message)
  })

  test('a verb that throws something else than a WarpError, with the error as the cause', async () => {
    const reason = new TypeError('no such seat')
    const workload: Workload = () => ({ kind: 'write', key: 'a', verb: 'sell', parameters: [1n, new Set([1])] })
    const error: unknown = await simulate({ ...QUIET, keys: { a: selling(reason) }, workload }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'WARP_E_CONFIG', cause: reason })
    expect(String(error)).toContain(`the workload wants 'a sell("1n", [1])', and m`)
  })

  test('keys that cannot be opened with', async () => {
    expect(await refusal({ keys: { 'a:*': { strategy: counter(), ttlMs: -1 } } })).toMatch(/^WARP_E_CONFIG .*ttlMs -1/)
  })

  test('what only the state forbids is a failed call', async () => {
    const workload: Workload = ({ random }) => {
      const verb = random.pick(['increment', 'decrement', 'decrement'])
      return { kind: 'write', key: 'seats:a', verb, parameters: [2] }
    }
    const { violations, history } = await simulate({ ...QUIET, workload })
    expect(violations).toEqual([])
    expect(history.calls.map(({ error }) => error)).toContain('WARP_E_BOUND')
  })
})

describe('check', () => {
  test.each([
    [true, 'check returned true; it returns what is wrong as an array of sentences'],
    ['wrong', 'check returned "wrong"'],
    [[{ key: 'a' }], 'check returned [{"key":"a"}]'],
  ])('that returns %j is refused', async (found, message) => {
    expect(await refusal({ check: () => found as never })).toContain(`WARP_E_CONFIG simulate: ${message}`)
  })

  test('may return nothing', async () => {
    expect((await simulate({ ...QUIET, workload: sell, check: () => undefined })).isClean).toBe(true)
  })
})

describe('violations', () => {
  test('are listed once, with the phases in which they were seen', async () => {
    const check = ({ phase }: { phase: string }): string[] => (phase === 'quiesced' ? ['late', 'early'] : ['late'])
    const { violations } = await simulate({ ...QUIET, workload: sell, minimise: false, check })
    expect(violations).toEqual([
      { invariant: 'own', message: 'late', phases: ['quiesced', 'compacted', 'restarted', 'replayed'] },
      { invariant: 'own', message: 'early', phases: ['quiesced'] },
    ])
  })

  test('that every write was refused is one: nothing was checked', async () => {
    const workload: Workload = () => ({ kind: 'write', key: 'seats:a', verb: 'decrement', parameters: [1] })
    const { violations } = await simulate({ ...QUIET, workload, minimise: false })
    expect(violations).toMatchObject([
      {
        invariant: 'workload',
        message: expect.stringMatching(/^nothing was checked, .*\d+, with WARP_E_BOUND/) as string,
      },
    ])
  })

  test('that nobody wrote, or that no write was acknowledged, is noted', async () => {
    const reading = await simulate({ ...QUIET, workload: () => ({ kind: 'read', key: 'tickets:jazz' }) })
    expect([...reading.exempted]).toEqual([['the workload wrote nothing', 1]])
    // As a disk that fails: nobody knows what has come of it.
    const workload: Workload = () => ({ kind: 'write', key: 'a', verb: 'sell', parameters: [] })
    const { exempted, violations } = await simulate({ ...QUIET, keys: { a: selling(failedDisk) }, workload })
    expect([violations, ...exempted]).toEqual([[], ['no write was acknowledged', 1]])
  })
})

describe('a signal', () => {
  test('ends a run between two steps', async () => {
    const ending = new AbortController()
    const reason = new Error('enough')
    let calls = 0
    const workload: Workload = (moment) => {
      if (++calls === 5) ending.abort(reason)
      return sell(moment)
    }
    const error: unknown = await simulate({ ...QUIET, seed: 3, seconds: 1e6, workload, signal: ending.signal }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'WARP_E_ABORTED', cause: reason, details: { seed: 3 } })
    expect(calls).toBeLessThan(20)
  })

  test('that has fired begins nothing', async () => {
    const workload: Workload = () => expect.fail('somebody was asked')
    expect(await refusal({ workload, signal: AbortSignal.abort() })).toMatch(/^WARP_E_ABORTED .* after 0.0 virtual/)
  })

  test('ends making a failing run small, and what was found is told', async () => {
    const ending = new AbortController()
    let checks = 0
    const check = (): string[] => {
      if (++checks === 4) ending.abort() // in the second run
      return ['sold out']
    }
    const error: unknown = await simulate({ ...QUIET, seed: 3, workload: sell, check, signal: ending.signal }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'WARP_E_ABORTED', details: { seed: 3, invariant: 'own' } })
    expect(String(error)).toContain('seed 3 violates own: sold out')
    expect(checks).toBeLessThan(8)
  })
})

describe('what is shown', () => {
  test('a time line has the values that were read and a legend, and no blanks at the ends of lines', async () => {
    const workload: Workload = ({ random, wallMs, unique }) =>
      random.pick<SimulatedIntent>([
        { kind: 'write', key: 'page:a', verb: 'set', parameters: [unique()] },
        { kind: 'read', key: 'page:a' },
        { kind: 'getAt', key: 'page:a', at: { timeMs: wallMs } },
        { kind: 'log', key: 'page:a' },
      ])
    const { explanation } = await simulate({ ...QUIET, workload, explain: true })
    const text = explanation?.timeLine ?? ''
    expect(text).toMatch(/ read page:a ok = \d+$/m)
    expect(text).toMatch(/ getAt page:a .* ok = \d+$/m)
    expect(text).toMatch(/ log page:a ok, operations: \d+$/m)
    expect(text).toMatch(/ page:a set\(\d+\) ok \d+$/m)
    expect(text).not.toMatch(/ $/m)
    expect(text).toMatch(/\n● a machine’s life .*\n· what the engine reports .*$/)
  })

  test('totals list the faults that were drawn, and know of the others', async () => {
    const totals = new SimulationTotals()
    const simulated = await simulate({ ...QUIET, faults: ['loss', 'kill', 'skew'], seed: 2, workload: sell })
    totals.add(simulated)
    const listed = totals.text().match(/^ {2}\w+(?= .* times)/gm) ?? []
    expect(listed.map((name) => name.trim()).sort()).toEqual([...simulated.faults].sort())
    expect(simulated.faults.length).toBeGreaterThan(0)
    expect(totals.faults().length).toBe(FAULT_KINDS.length)
  })
})
