/** What the processes said that they wrote, and whether the replicas bear it out in the end. */

export type Values = readonly (readonly [key: string, value: unknown])[]

type Fate = 'tried' | 'acked' | 'refused'

const SHOWN_MAX = 20

export class Ledger {
  /** By key, then by the text of the write. */
  readonly #fates = new Map<string, Map<string, Fate>>()
  readonly #counts: Record<Fate, number> = { tried: 0, acked: 0, refused: 0 }

  get counts(): Readonly<Record<Fate, number>> {
    return this.#counts
  }

  /** Takes one line of a replica's output; `false` if it is none of these. */
  take(line: string): boolean {
    const [fate, key, text] = line.split(' ')
    if ((fate !== 'tried' && fate !== 'acked' && fate !== 'refused') || key === undefined || text === undefined) {
      return false
    }
    const fates = this.#fates.get(key) ?? new Map<string, Fate>()
    this.#fates.set(key, fates.set(text, fate))
    this.#counts[fate]++
    return true
  }

  /** What is wrong with the values of one replica, a line each. */
  violations(values: Values): string[] {
    const found = new Map(values)
    const wrong: string[] = []
    for (const [key, fates] of this.#fates) {
      const value = found.get(key)
      wrong.push(...(key.startsWith('count:') ? countedWrong(key, value, fates) : listedWrong(key, value, fates)))
    }
    for (const key of found.keys()) if (!this.#fates.has(key)) wrong.push(`${key} holds a value that nobody wrote`)
    return wrong.length > SHOWN_MAX ? [...wrong.slice(0, SHOWN_MAX), `… and ${wrong.length - SHOWN_MAX} more`] : wrong
  }
}

function countedWrong(key: string, value: unknown, fates: ReadonlyMap<string, Fate>): string[] {
  const acked = [...fates.values()].filter((fate) => fate === 'acked').length
  const possible = [...fates.values()].filter((fate) => fate !== 'refused').length
  const count = typeof value === 'number' ? value : 0
  if (count < acked) return [`${key} is ${count}, and ${acked} increments were acknowledged`]
  return count > possible ? [`${key} is ${count}, and only ${possible} increments were tried and not refused`] : []
}

function listedWrong(key: string, value: unknown, fates: ReadonlyMap<string, Fate>): string[] {
  const texts = Array.isArray(value) ? (value as string[]) : []
  const found = new Set(texts)
  const wrong: string[] = []
  if (found.size < texts.length) wrong.push(`${key} holds ${texts.length - found.size} writes twice`)
  for (const text of found) {
    const fate = fates.get(text)
    if (fate === undefined) wrong.push(`${key} holds ${text}, which nobody tried`)
    if (fate === 'refused') wrong.push(`${key} holds ${text}, which was refused`)
  }
  for (const [text, fate] of fates) {
    if (fate === 'acked' && !found.has(text)) wrong.push(`${key} lacks ${text}, which was acknowledged`)
  }
  return wrong
}
