/** Results as tables, for the screen and for Markdown alike. */
import type { Comparison } from './bench.ts'
import type { Standing } from './measure.ts'

export interface Table {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly goals: GoalRow[]
}

/**
 * A ratio that a comparison has to show: how fast `of` is in units of `to`, the baseline unless
 * named.
 */
export interface Goal {
  readonly of: string
  readonly to?: string
  readonly atLeast: number
}

export interface GoalRow {
  readonly text: string
  readonly value: number
  readonly limit: number
  readonly isMet: boolean
}

export function standingsTable(comparison: Comparison, standings: readonly Standing[]): Table {
  const { title, baseline, goals = [] } = comparison
  return {
    title,
    head: ['', 'median', 'p99', 'per second', `× ${baseline}`],
    rows: standings.map(({ name, medianNs, p99Ns, perSecond, ratio }) => [
      name,
      formatNs(medianNs),
      formatNs(p99Ns),
      formatCount(perSecond),
      formatRatio(ratio),
    ]),
    goals: goals.map((goal) => comparisonGoal(goal, baseline, standings)),
  }
}

function comparisonGoal({ of, to, atLeast }: Goal, baseline: string, standings: readonly Standing[]): GoalRow {
  const ratioOf = (name: string): number => {
    const standing = standings.find((other) => other.name === name)
    if (standing === undefined) throw new Error(`goal: no contestant is named ${name}`)
    return standing.ratio
  }
  const other = to ?? baseline
  return goalRow(`${of} ÷ ${other}`, ratioOf(of) / ratioOf(other), { atLeast })
}

export function goalRow(
  text: string,
  value: number,
  bound: { readonly atLeast: number } | { readonly atMost: number },
): GoalRow {
  if ('atLeast' in bound) {
    return {
      text: `${text} ≥ ${formatCount(bound.atLeast)}`,
      value,
      limit: bound.atLeast,
      isMet: value >= bound.atLeast,
    }
  }
  return { text: `${text} ≤ ${formatCount(bound.atMost)}`, value, limit: bound.atMost, isMet: value <= bound.atMost }
}

/** As Markdown, which reads well on a screen too. */
export function formatTable({ title, head, rows, goals }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = line(head.map((_, i) => (i === 0 ? '---' : '---:')))
  const verdicts = goals.map(formatGoal)
  const table = [line(head), rule, ...rows.map(line)].join('\n')
  return [`**${title}**`, table, ...(verdicts.length > 0 ? [verdicts.join('\n')] : [])].join('\n\n')
}

function formatGoal({ text, value, limit, isMet }: GoalRow): string {
  const shortBy = Math.abs(1 - value / limit) * 100
  return `- ${text}: ${formatCount(value)}, ${isMet ? 'met' : `**missed by ${shortBy.toFixed(0)} %**`}`
}

export function formatNs(ns: number): string {
  if (ns < 1000) return `${ns < 100 ? ns.toFixed(1) : ns.toFixed(0)} ns`
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`
  return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(2)} s`
}

/** Three digits that count, thousands apart. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return String(count)
  if (Math.abs(count) >= 100) return Number(count.toPrecision(3)).toLocaleString('en-US')
  return String(Number(count.toPrecision(3)))
}

function formatRatio(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : ratio.toPrecision(2)
}
