import { describe, expect, test } from 'vitest'
import { BenchContext } from '../../bench/support/bench.ts'
import { type Contestant, quantile, race, standings } from '../../bench/support/measure.ts'
import { replaceMarked } from '../../bench/support/results.ts'
import { drawChart } from '../../bench/support/svg.ts'
import { formatCount, formatNs, formatTable, goalRow } from '../../bench/support/table.ts'

/** A contestant that writes down what is asked of it. */
function recorder(name: string, record: string[]): Contestant {
  return {
    name,
    open: () => ({
      batch: () => void record.push(`${name} runs`),
      verify: () => void record.push(`${name} is checked`),
      close: () => void record.push(`${name} closes`),
    }),
  }
}

describe('a race', () => {
  test('lets contestants take turns in rotating order and checks each of them', async () => {
    const record: string[] = []
    const contestants = [recorder('a', record), recorder('b', record)]
    await race({ contestants, baseline: 'a', operations: 1, rounds: 2, warmups: 0, batches: 1, fresh: true })
    const turn = (name: string): string[] => [`${name} runs`, `${name} is checked`, `${name} closes`]
    expect(record).toEqual([...turn('a'), ...turn('b'), ...turn('b'), ...turn('a')])
  })

  test('opens a contestant once unless it is to be fresh', async () => {
    const record: string[] = []
    const contestants = [recorder('a', record)]
    await race({ contestants, baseline: 'a', operations: 1, rounds: 3, warmups: 0, batches: 1 })
    expect(record.filter((line) => line === 'a closes')).toHaveLength(1)
  })

  test('fails when a contestant did its work wrong', async () => {
    const wrong: Contestant = {
      name: 'a',
      open: () => ({ batch: () => undefined, verify: () => Promise.reject(new Error('wrong')) }),
    }
    await expect(race({ contestants: [wrong], baseline: 'a', operations: 1 })).rejects.toThrow('wrong')
  })

  test('refuses a baseline that does not run', async () => {
    await expect(race({ contestants: [recorder('a', [])], baseline: 'b', operations: 1 })).rejects.toThrow('named b')
  })
})

test('ratios are formed within a round, so that a slow spell of the machine cancels out', () => {
  const times = new Map([
    ['map', [[10], [100], [10]]],
    ['warp', [[20], [200], [20]]],
  ])
  const warp = standings(times, 'map')[1]
  expect(warp).toMatchObject({ name: 'warp', medianNs: 20, p99Ns: 200, ratio: 0.5, perSecond: 5e7 })
})

test('a quantile is one of the values', () => {
  expect(quantile([3, 1, 2], 0.5)).toBe(2)
  expect(quantile([3, 1, 2, 4], 0.5)).toBe(2)
  expect(quantile([3, 1, 2], 0.99)).toBe(3)
  expect(quantile([], 0.5)).toBeNaN()
})

test('a smoke test runs everything once and small', async () => {
  const context = new BenchContext(true)
  const record: string[] = []
  const size = context.size(1_000_000)
  const contestants = [recorder('a', record)]
  await context.compare({ title: 't', contestants, baseline: 'a', operations: size, rounds: 50 })
  expect(size).toBe(100)
  expect(record.filter((line) => line === 'a runs')).toHaveLength(1)
})

test('a bench draws the same numbers every time', () => {
  const draw = (): number => new BenchContext(true).random('keys').uint32()
  expect(draw()).toBe(draw())
})

describe('tables', () => {
  test('numbers carry their unit and three digits', () => {
    expect([5.25, 640, 4_210, 1.5e6, 2e9].map(formatNs)).toEqual(['5.3 ns', '640 ns', '4.2 µs', '1.5 ms', '2.00 s'])
    expect([0.7, 77.25, 1_234_567].map(formatCount)).toEqual(['0.7', '77.3', '1,230,000'])
  })

  test('a goal that is missed says by how much', () => {
    const goals = [goalRow('Warp ÷ Map', 0.35, { atLeast: 0.7 }), goalRow('bytes', 200, { atMost: 250 })]
    const text = formatTable({ title: 'hot', head: ['', 'n'], rows: [['a', '1']], goals })
    expect(text).toContain('- Warp ÷ Map ≥ 0.7: 0.35, **missed by 50 %**')
    expect(text).toContain('- bytes ≤ 250: 200, met')
  })

  test('only what stands between its marks is replaced', () => {
    const text = 'before\n<!-- bench:peek -->\nold\n<!-- /bench:peek -->\nafter'
    expect(replaceMarked(text, 'peek', 'new')).toBe('before\n<!-- bench:peek -->\nnew\n<!-- /bench:peek -->\nafter')
    expect(() => replaceMarked(text, 'write', 'new')).toThrow('has no place for write')
  })
})

describe('charts', () => {
  const x = { label: 'keys', scale: 'log' } as const
  const y = { label: 'ns', scale: 'linear' } as const

  test('every point has its place, the extremes at the ends of the axes', () => {
    const svg = drawChart({
      title: 'a < b',
      x,
      y,
      series: [
        {
          name: 'write',
          points: [
            [1_000, 0],
            [100_000, 400],
          ],
        },
      ],
    })
    expect(svg).toContain('points="72,312 696,48"')
    expect(svg).toContain('a &lt; b')
    expect(svg).toContain('>100 k</text>')
  })

  test('a value that a logarithmic axis cannot show is refused', () => {
    expect(() => drawChart({ title: 't', x, y, series: [{ name: 'a', points: [[0, 1]] }] })).toThrow('has no place')
  })

  test('a chart without points is refused', () => {
    expect(() => drawChart({ title: 't', x, y, series: [] })).toThrow('no values')
  })
})
