/**
 * Where a command's words go: results to stdout, everything else to stderr. Writing waits for a
 * reader that is slow, and a reader that has gone (`| head`) ends the command without a word.
 */
import { once } from 'node:events'
import { columnWidths, formatRow, formatRule, formatTable } from '../../table.ts'
import { paintFor, type Paint } from './colour.ts'
import { startProgress, type Progress } from './progress.ts'
import type { Json } from '../../../src/control/tagged-json.ts'
import { jsonLine } from '../values.ts'

/** Rows from which the widths of a long table are taken; later ones may stick out. */
const MEASURED_ROWS = 256

export class Output {
  /** `--json`: results as JSON, one value or one per line. */
  readonly isJson: boolean
  readonly paint: Paint
  /** Fires when nobody reads stdout any more, or it takes no more. */
  readonly gone: AbortSignal
  /** Why stdout takes no more (a full disk), unless its reader has just gone. */
  failure: Error | undefined
  readonly #gone = new AbortController()

  constructor(isJson: boolean) {
    this.isJson = isJson
    this.paint = paintFor(process.stdout, process.env)
    this.gone = this.#gone.signal
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.failure ??= error
      this.#gone.abort()
    })
    // Nobody to complain to: a message that cannot be written is no reason to fail.
    process.stderr.on('error', () => undefined)
  }

  /** One line, or several, of a result for people. */
  async line(text: string): Promise<void> {
    await this.write(`${text}\n`)
  }

  /** One result for programs: a line. */
  async json(value: Json | object): Promise<void> {
    await this.write(`${jsonLine(value)}\n`)
  }

  /** As it is, to stdout. */
  async write(text: string | Uint8Array): Promise<void> {
    if (this.gone.aborted) return
    if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal: this.gone }).catch(() => undefined)
  }

  async table(head: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
    if (rows.length > 0) await this.line(formatTable(head.map(this.paint.bold), rows, this.#columns))
  }

  /** A table whose rows come one by one. Nothing is printed if there are none. */
  async rows(head: readonly string[], rows: AsyncIterable<readonly string[]>): Promise<void> {
    let first: (readonly string[])[] | undefined = []
    let widths: number[] = []
    const begin = async (): Promise<void> => {
      const measured = first ?? []
      first = undefined
      widths = columnWidths(head, measured, this.#columns)
      if (measured.length === 0) return
      const lines = [formatRow(head.map(this.paint.bold), widths), formatRule(widths)]
      await this.line([...lines, ...measured.map((row) => formatRow(row, widths))].join('\n'))
    }
    for await (const row of rows) {
      if (first === undefined) await this.line(formatRow(row, widths))
      else if (first.push(row) === MEASURED_ROWS) await begin()
    }
    if (first !== undefined) await begin()
  }

  /** For the operator: a line on stderr. */
  note(text: string): void {
    process.stderr.write(
      this.isJson
        ? `${jsonLine({ note: text })}
`
        : `warp: ${text}
`,
    )
  }

  /** See `progress.ts`. Programs that read JSON are not told: they know that they wait. */
  progress(what: string, unit: string): Progress {
    return this.isJson && !process.stderr.isTTY
      ? { at: () => undefined, end: () => undefined }
      : startProgress(process.stderr, what, unit)
  }

  get #columns(): number {
    // A terminal that does not know its size says 0.
    return process.stdout.isTTY ? process.stdout.columns || Number.POSITIVE_INFINITY : Number.POSITIVE_INFINITY
  }
}
