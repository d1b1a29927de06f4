/**
 * Aligned columns of plain text. Where the width is known and the columns do not fit, the widest ones give way: their cells end
 * in an ellipsis. Colours (see `cli/colour.ts`) take no room.
 */

/** Below this a column tells nothing any more; a table that does not even fit so is left too wide. */
const COLUMN_WIDTH_MIN = 8
const GAP = '  '
const COLOURS = /\x1b\[[0-9;]*m/g

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
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => lengthOf(row[column] ?? title))))
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
  const length = lengthOf(cell)
  if (length <= width) return cell + ' '.repeat(width - length)
  return `${[...cell.replaceAll(COLOURS, '')].slice(0, width - 1).join('')}…`
}

function lengthOf(cell: string): number {
  return [...cell.replaceAll(COLOURS, '')].length
}
