/**
 * A run as a space-time diagram (Lamport 1978): time runs down, each machine is a line, each frame
 * an arrow from where it was sent to where it arrived. Made of plain SVG with titles that appear
 * under the pointer. Long runs are shown by their last part.
 */
import type { TraceStep } from './trace.ts'

/** Of its text so many characters stand beside a step; the pointer shows all of it. */
const LABEL_CHARACTERS = 28
const LABEL_HEIGHT = 12
/** From one machine to the next: a label fits in between. */
const COLUMN = 190
/** Room for times and what befalls the whole world. */
const LEFT = 150
const TOP = 40
/** Between two moments at least; quiet times are cut short. */
const ROW = 7
const GAP_MAX = 40
const PIXELS_PER_MS = 0.05
const STEPS_MAX = 4000

export function spaceTimeDiagram(steps: readonly TraceStep[], machines: readonly string[]): string {
  const shown = steps.slice(-STEPS_MAX)
  const { heights, moments, end } = layout(shown)
  const width = LEFT + machines.length * COLUMN
  const lines = machines.map((name, i) => {
    const x = xOf(i)
    return `<text x="${x}" y="20">${escaped(name)}</text><line class="m" x1="${x}" y1="30" x2="${x}" y2="${end}"/>`
  })
  const picture = { machines, moments, width }
  const marks = shown.map((step, i) => ({ isArrow: isArrow(step), text: markOf(step, heights[i] ?? TOP, picture) }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${end}" font-family="sans-serif" font-size="10">`,
    '<style>.m{stroke:#999}.f{stroke:#48c;stroke-opacity:.35}.x{stroke:#c33;stroke-dasharray:3 2}.w{stroke:#eb5;stroke-opacity:.6}</style>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...lines,
    // Arrows lie under what is to be read.
    ...marks.filter((mark) => mark.isArrow).map(({ text }) => text),
    ...marks.filter((mark) => !mark.isArrow).map(({ text }) => text),
    '</svg>',
  ].join('\n')
}

function isArrow({ kind }: TraceStep): boolean {
  return kind === 'frame' || kind === 'lost'
}

interface Picture {
  readonly machines: readonly string[]
  /** Where each moment begins. */
  readonly moments: ReadonlyMap<number, number>
  readonly width: number
}

function markOf(step: TraceStep, y: number, { machines, moments, width }: Picture): string {
  switch (step.kind) {
    case 'frame': {
      const from = moments.get(step.sentMs) ?? Math.max(TOP, y - GAP_MAX)
      return line('f', [xOf(machines.indexOf(step.from)), from, xOf(machines.indexOf(step.to)), y])
    }
    case 'lost': {
      const [a, b] = [xOf(machines.indexOf(step.from)), xOf(machines.indexOf(step.to))]
      return line('x', [a, y - ROW, a + (b - a) * 0.6, y], step.why)
    }
    case 'world':
      return `${line('w', [LEFT, y, width, y])}${label(2, y, `${seconds(step.atMs)} ${step.text}`)}`
    case 'life':
      return dot(xOf(machines.indexOf(step.machine)), y, { radius: 4, fill: '#000', text: step.text, isNamed: true })
    case 'call':
      return dot(xOf(machines.indexOf(step.machine)), y, { radius: 2.5, fill: '#2a6', text: step.text, isNamed: true })
    case 'report':
      return dot(xOf(machines.indexOf(step.machine)), y, { radius: 2, fill: '#96c', text: step.text, isNamed: false })
  }
}

interface Layout {
  /** Of each step. */
  readonly heights: readonly number[]
  readonly moments: ReadonlyMap<number, number>
  readonly end: number
}

/**
 * Later moments lower, close ones apart, long quiet ones cut short, and no label on another one of
 * its column.
 */
function layout(steps: readonly TraceStep[]): Layout {
  const moments = new Map<number, number>()
  const labels = new Map<string, number>()
  let [y, before] = [TOP, steps[0]?.atMs ?? 0]
  const heights = steps.map((step) => {
    if (!moments.has(step.atMs)) {
      y = Math.round(y + Math.min(GAP_MAX, Math.max(ROW, (step.atMs - before) * PIXELS_PER_MS)))
      before = step.atMs
      moments.set(step.atMs, y)
    }
    const column = labelColumn(step)
    if (column === undefined) return y
    y = Math.max(y, (labels.get(column) ?? -Infinity) + LABEL_HEIGHT)
    labels.set(column, y)
    return y
  })
  return { heights, moments, end: y + TOP }
}

function labelColumn(step: TraceStep): string | undefined {
  if (step.kind === 'world') return ''
  return step.kind === 'life' || step.kind === 'call' ? step.machine : undefined
}

function xOf(column: number): number {
  return LEFT + 10 + column * COLUMN
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
  const name = isNamed ? label(x + 6, y + 3, text) : ''
  return `<circle cx="${x}" cy="${y}" r="${radius}" fill="${fill}">${title}</circle>${name}`
}

function label(x: number, y: number, text: string): string {
  const shown = [...text].slice(0, LABEL_CHARACTERS).join('')
  return `<text x="${x}" y="${y}"><title>${escaped(text)}</title>${escaped(shown)}</text>`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
