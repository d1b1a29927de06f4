/**
 * Says on stderr that something is going on when it takes longer than a second: on a terminal in a
 * line that rewrites itself, elsewhere in a line every five seconds. What ends sooner says nothing.
 */

export interface Progress {
  /** How far it is. Cheap: may be called for each record. */
  at(done: number, total?: number): void
  /** Takes the line away. Idempotent. */
  end(): void
}

interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const QUIET_MS = 1000
const REWRITE_MS = 200
const LINE_MS = 5000

/** `what` as in "reading ./data"; `unit` is what `at` counts. */
export function startProgress(terminal: Terminal, what: string, unit: string): Progress {
  const startedMs = performance.now()
  const isTerminal = terminal.isTTY === true
  let done = 0
  let total: number | undefined
  let hasSaid = false
  const say = (): void => {
    hasSaid = true
    const seconds = Math.round((performance.now() - startedMs) / 1000)
    const line = `${what}: ${amount(done, total, unit)}${seconds} s`
    terminal.write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`)
  }
  let timer = setTimeout(function again() {
    say()
    timer = setTimeout(again, isTerminal ? REWRITE_MS : LINE_MS).unref()
  }, QUIET_MS).unref()
  return {
    at: (count, of) => {
      done = count
      total = of
    },
    end: () => {
      clearTimeout(timer)
      if (hasSaid && isTerminal) terminal.write('\r\x1b[K')
      hasSaid = false
    },
  }
}

function amount(done: number, total: number | undefined, unit: string): string {
  if (done === 0 && total === undefined) return ''
  const share = total === undefined || total === 0 ? '' : ` of ${total} (${Math.floor((100 * done) / total)} %)`
  return `${done}${share} ${unit}, `
}
