import { expect, test } from 'vitest'
import { spaceTimeDiagram } from '../../testing/simulation/report/space-time-diagram.ts'
import type { TraceStep } from '../../testing/simulation/report/trace.ts'

const MACHINES = ['m0', 'm1']

function call(atMs: number, machine: string, text = 'list:1 update("price", "set", 11) durable ok 7'): TraceStep {
  return { kind: 'call', atMs, machine, text }
}

function labelsOf(svg: string): { x: number; y: number }[] {
  const labels = svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"><title>/g)
  return [...labels].map(([, x, y]) => ({ x: Number(x), y: Number(y) }))
}

test('no label lies on another one, though much happens at one moment', () => {
  const steps = [call(1, 'm0'), call(1, 'm1'), call(1, 'm0'), call(1, 'm0'), call(2, 'm0'), call(2, 'm1')]
  const labels = labelsOf(spaceTimeDiagram(steps, MACHINES))
  expect(labels).toHaveLength(6)
  for (const [i, a] of labels.entries()) {
    for (const b of labels.slice(i + 1)) if (a.x === b.x) expect(Math.abs(a.y - b.y)).toBeGreaterThanOrEqual(10)
  }
})

test('the label of the last machine fits into the picture', () => {
  const svg = spaceTimeDiagram([call(1, 'm1')], MACHINES)
  const width = Number(/width="(\d+)"/.exec(svg)?.[1])
  const [label] = labelsOf(svg)
  // 28 characters of a font of 10 pixels.
  expect(width - (label?.x ?? 0)).toBeGreaterThanOrEqual(28 * 6)
})

test('an arrow runs from the moment at which a frame was sent to that at which it arrived', () => {
  const steps: TraceStep[] = [
    call(0, 'm0', 'a < b'),
    { kind: 'frame', atMs: 100, sentMs: 0, from: 'm0', to: 'm1' },
    call(100, 'm1', 'read'),
  ]
  const svg = spaceTimeDiagram(steps, MACHINES)
  const [x1, y1, x2, y2] = /class="f" x1="(\d+)" y1="(\d+)" x2="(\d+)" y2="(\d+)"/.exec(svg)?.slice(1).map(Number) ?? []
  const circles = [...svg.matchAll(/<circle cx="(\d+)" cy="(\d+)"/g)].map(([, x, y]) => [Number(x), Number(y)])
  expect(circles).toEqual([
    [x1, y1],
    [x2, y2],
  ])
  expect(svg).toContain('a &lt; b')
})
