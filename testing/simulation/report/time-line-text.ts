/**
 * A run as text: a line per step, with the time, the machine in a column of its own, and what it
 * did; at the end, what the marks stand for. Frames are left out: the diagram shows them.
 */
import type { TraceStep } from './trace.ts'

/** Reports that come in great numbers and say little. */
const QUIET: ReadonlySet<string> = new Set(['gap', 'peer:up', 'peer:down', 'operation:drift', 'peer:lagging'])

const LEGEND = [
  '● a machine’s life   ○ a call, how it ended, and the number of its operation or = what it read',
  '· what the engine reports   ─── a fault',
]

export function timeLineText(steps: readonly TraceStep[], machines: readonly string[]): string {
  const head = `${'seconds'.padStart(9)}  ${machines.map((name) => name.padEnd(3)).join('')}`
  const lines = [head, ...steps.flatMap((step) => lineOf(step, machines)), '', ...LEGEND]
  return lines.map((line) => line.trimEnd()).join('\n')
}

function lineOf(step: TraceStep, machines: readonly string[]): string[] {
  const seconds = (step.atMs / 1000).toFixed(3).padStart(9)
  switch (step.kind) {
    case 'frame':
    case 'lost':
      return []
    case 'world':
      return [`${seconds}  ${'─'.repeat(machines.length * 3)} ${step.text}`]
    case 'report':
      return QUIET.has(step.text.split(',')[0] ?? '')
        ? []
        : [`${seconds}  ${column(step.machine, machines, '·')} ${step.machine} ${step.text}`]
    case 'life':
      return [`${seconds}  ${column(step.machine, machines, '●')} ${step.machine} ${step.text}`]
    case 'call':
      return [`${seconds}  ${column(step.machine, machines, '○')} ${step.machine} ${step.text}`]
  }
}

function column(machine: string, machines: readonly string[], mark: string): string {
  return machines.map((name) => (name === machine ? mark : '│').padEnd(3)).join('')
}
