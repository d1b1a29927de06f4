/**
 * A run as a space-time diagram (Lamport 1978): time runs down, each machine is a line, each frame an arrow from where it was sent to where it arrived. Made of
 * plain SVG with titles that appear under the pointer. Long runs are shown by their last part.
 */
import type { TraceStep } from './trace.ts'

const COLUMN = 170
const LEFT = 90
const TOP = 40
/** Between two steps at least; quiet times are cut short. */
const ROW = 7
const GAP_MAX = 40
const PIXELS_PER_MS = 0.05
const STEPS_MAX = 4000

export function spaceTimeDiagram(steps: readonly TraceStep[], machines: readonly string[]): string {
  const shown = steps.slice(-STEPS_MAX)
  const heights = heightsOf(shown)
  const end = (heights.get(shown.at(-1)?.atMs ?? 0) ?? TOP) + TOP
  const width = LEFT + machines.length * COLUMN
  const lines = machines.map((name, i) => {
    const x = xOf(i)
    return `<text x="${x}" y="20">${escaped(name)}</text><line class="m" x1="${x}" y1="30" x2="${x}" y2="${end}"/>`
  })
  const marks = shown.map((step) => markOf(step, { machines, heights, width }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${end}" font-family="sans-serif" font-size="10">`,
    '<style>.m{stroke:#999}.f{stroke:#48c;stroke-opacity:.35}.x{stroke:#c33;stroke-dasharray:3 2}.w{stroke:#eb5;stroke-opacity:.6}</style>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...lines,
    ...marks,
    '</svg>',
  ].join('\n')
}

interface Picture {
  readonly machines: readonly string[]
  readonly heights: ReadonlyMap<number, number>
  readonly width: number
}

function markOf(step: TraceStep, { machines, heights, width }: Picture): string {
  const y = heights.get(step.atMs) ?? TOP
  switch (step.kind) {
    case 'frame': {
      const from = heights.get(step.sentMs) ?? Math.max(TOP, y - GAP_MAX)
      return line('f', [xOf(machines.indexOf(step.from)), from, xOf(machines.indexOf(step.to)), y])
    }
    case 'lost': {
      const [a, b] = [xOf(machines.indexOf(step.from)), xOf(machines.indexOf(step.to))]
      return line('x', [a, y - ROW, a + (b - a) * 0.6, y], step.why)
    }
    case 'world':
      return `${line('w', [LEFT, y, width, y])}<text x="2" y="${y}">${seconds(step.atMs)} ${escaped(step.text)}</text>`
    case 'life':
      return dot(xOf(machines.indexOf(step.machine)), y, { radius: 4, fill: '#000', text: step.text, isNamed: true })
    case 'call':
      return dot(xOf(machines.indexOf(step.machine)), y, { radius: 2.5, fill: '#2a6', text: step.text, isNamed: true })
    case 'report':
      return dot(xOf(machines.indexOf(step.machine)), y, { radius: 2, fill: '#96c', text: step.text, isNamed: false })
  }
}

/** Where each moment is: later ones lower, close ones apart, long quiet ones cut short. */
function heightsOf(steps: readonly TraceStep[]): Map<number, number> {
  const moments = [...new Set(steps.map(({ atMs }) => atMs))].sort((a, b) => a - b)
  const heights = new Map<number, number>()
  let y = TOP
  let before = moments[0] ?? 0
  for (const atMs of moments) {
    y += Math.min(GAP_MAX, Math.max(ROW, (atMs - before) * PIXELS_PER_MS))
    before = atMs
    heights.set(atMs, Math.round(y))
  }
  return heights
}

function xOf(column: number): number {
  return LEFT + COLUMN / 4 + column * COLUMN
}

function line(kind: string, [x1, y1, x2, y2]: readonly [number, number, number, number], title?: string): string {
  const shape = `class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"`
  return title === undefined ? `<line ${shape}/>` : `<line ${shape}><title>${escaped(title)}</title></line>`
}

interface Dot {
  readonly radius: number
  readonly fill: string
  readonly text: string
  readonly isNamed: boolean
}

function dot(x: number, y: number, { radius, fill, text, isNamed }: Dot): string {
  const title = `<title>${escaped(text)}</title>`
  const name = isNamed ? `<text x="${x + 6}" y="${y + 3}">${escaped(text.slice(0, 28))}</text>` : ''
  return `<circle cx="${x}" cy="${y}" r="${radius}" fill="${fill}">${title}</circle>${name}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
