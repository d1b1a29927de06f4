/** Aligned columns of plain text. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => lengthOf(row[column] ?? title))))
  const line = (row: readonly string[]): string => {
    const cells = row.map((cell, column) => cell + ' '.repeat(widths[column]! - lengthOf(cell)))
    return `  ${cells.join('  ')}`.trimEnd()
  }
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function lengthOf(cell: string): number {
  return [...cell].length
}
