/**
 * A line chart as SVG, readable on light and dark pages. No library: it is a dozen lines and a
 * grid.
 */
export interface Series {
  readonly name: string
  /** x and y, in the order of x. */
  readonly points: readonly (readonly [number, number])[]
}

export interface Chart {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
}

export interface Axis {
  readonly label: string
  /** `'log'` takes positive values only. A linear axis begins at 0. */
  readonly scale: 'linear' | 'log'
}

const WIDTH = 720
const HEIGHT = 400
const MARGIN = { top: 48, right: 24, bottom: 88, left: 72 }
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] // Okabe and Ito 2008: safe for colour-blind readers

export function drawChart(chart: Chart): string {
  const xs = place(chart.x, valuesOf(chart, 0), [MARGIN.left, WIDTH - MARGIN.right])
  const ys = place(chart.y, valuesOf(chart, 1), [HEIGHT - MARGIN.bottom, MARGIN.top])
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#888">`,
    `<text x="${MARGIN.left}" y="24" font-size="16">${escaped(chart.title)}</text>`,
    ...ys.ticks.map((tick) => horizontal(ys.at(tick), formatTick(tick))),
    ...xs.ticks.map((tick) => vertical(xs.at(tick), formatTick(tick))),
    `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - MARGIN.bottom + 40}" text-anchor="middle">${escaped(chart.x.label)}</text>`,
    `<text transform="translate(16 ${(MARGIN.top + HEIGHT - MARGIN.bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(chart.y.label)}</text>`,
    ...chart.series.flatMap((series, i) => drawSeries(series, i, xs.at, ys.at)),
    '</svg>\n',
  ].join('\n')
}

function drawSeries(series: Series, i: number, x: (value: number) => number, y: (value: number) => number): string[] {
  const colour = COLOURS[i % COLOURS.length] ?? ''
  const points = series.points.map(([px, py]) => `${round(x(px))},${round(y(py))}`)
  const legendX = MARGIN.left + (i % 3) * 210
  const legendY = HEIGHT - MARGIN.bottom + 60 + Math.floor(i / 3) * 18
  return [
    `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...points.map((point) => `<circle cx="${point.replace(',', '" cy="')}" r="3" fill="${colour}"/>`),
    `<text x="${legendX}" y="${legendY}" fill="${colour}">● ${escaped(series.name)}</text>`,
  ]
}

interface Placed {
  readonly ticks: readonly number[]
  readonly at: (value: number) => number
}

/** Maps values to pixels between the two ends, and chooses where the grid lies. */
function place({ label, scale }: Axis, values: readonly number[], [from, to]: readonly [number, number]): Placed {
  if (values.length === 0) throw new Error(`the axis "${label}" has no values`)
  const ticks = scale === 'log' ? decades(label, values) : steps(Math.max(...values))
  const position = scale === 'log' ? Math.log10 : (value: number): number => value
  const low = position(ticks[0] as number)
  const high = position(ticks.at(-1) as number)
  return { ticks, at: (value) => from + ((position(value) - low) / (high - low)) * (to - from) }
}

function decades(label: string, values: readonly number[]): number[] {
  const least = Math.min(...values)
  if (least <= 0) throw new Error(`the axis "${label}" is logarithmic; ${least} has no place on it`)
  const first = Math.floor(Math.log10(least))
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))))
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i))
}

/** From 0 in four to eight steps of 1, 2 or 5 times a power of ten. */
function steps(most: number): number[] {
  const rough = (most > 0 ? most : 1) / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([5, 2, 1].find((factor) => factor * power <= rough) ?? 1) * power
  const count = Math.max(1, Math.ceil((most > 0 ? most : 1) / step - 1e-9))
  return Array.from({ length: count + 1 }, (_, i) => i * step)
}

function horizontal(y: number, label: string): string {
  const at = round(y)
  return `<path d="M${MARGIN.left} ${at}H${WIDTH - MARGIN.right}" stroke="#8884"/><text x="${MARGIN.left - 8}" y="${at + 4}" text-anchor="end">${label}</text>`
}

function vertical(x: number, label: string): string {
  const at = round(x)
  return `<path d="M${at} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}" stroke="#8884"/><text x="${at}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${label}</text>`
}

function valuesOf(chart: Chart, coordinate: 0 | 1): number[] {
  return chart.series.flatMap((series) => series.points.map((point) => point[coordinate]))
}

function formatTick(value: number): string {
  const number = Number(value.toPrecision(6))
  if (number >= 1e6) return `${number / 1e6} M`
  return number >= 1e4 ? `${number / 1e3} k` : String(number)
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
