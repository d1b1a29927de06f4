/**
 * Aligned columns of plain text. Where the width is known and the columns do not fit, the widest
 * ones give way: their cells end in an ellipsis. Colours (see `cli/colour.ts`) take no room.
 */

import { graphemes, stripColours, textWidth } from './text-width.ts'

/**
 * Below this a column tells nothing any more; a table that does not even fit so is left too wide.
 */
const COLUMN_WIDTH_MIN = 8
const GAP = '  '

export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number = Number.POSITIVE_INFINITY,
): string {
  const widths = columnWidths(head, rows, width)
  return [formatRow(head, widths), formatRule(widths), ...rows.map((row) => formatRow(row, widths))].join('\n')
}

/** How wide each column has to be, or may be. */
export function columnWidths(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number = Number.POSITIVE_INFINITY,
): number[] {
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => textWidth(row[column] ?? title))))
  for (let over = total(widths) - width; over > 0; over--) {
    const widest = Math.max(...widths)
    if (widest <= COLUMN_WIDTH_MIN) break
    widths[widths.indexOf(widest)] = widest - 1
  }
  return widths
}

export function formatRow(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, column) => fitted(cell, widths[column] ?? 0))
  return `${GAP}${cells.join(GAP)}`.trimEnd()
}

export function formatRule(widths: readonly number[]): string {
  return formatRow(
    widths.map((width) => '-'.repeat(width)),
    widths,
  )
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + GAP.length + width, 0)
}

function fitted(cell: string, width: number): string {
  const length = textWidth(cell)
  if (length <= width) return cell + ' '.repeat(width - length)
  let shown = ''
  let left = width - 1
  for (const { text, columns } of graphemes(stripColours(cell))) {
    if ((left -= columns) < 0) return `${shown}…${' '.repeat(left + columns)}`
    shown += text
  }
  return shown
}
