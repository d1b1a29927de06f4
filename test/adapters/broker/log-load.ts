/** Appends without end while servers are troubled, and what has to be in the log afterwards. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type LogClient, type LogReader, until } from './log-client.ts'

/** Appends all the time, some at once, and appends again what has no place for certain. */
export class Load {
  readonly acknowledged = new Map<string, number>()
  /** How often a record may be there: once for each time that it was sent. */
  readonly sentCounts = new Map<string, number>()
  #isOver = false
  readonly #done: Promise<unknown>

  constructor(client: LogClient, name: string, writers = 16) {
    this.#done = Promise.all(Array.from({ length: writers }, (_, writer) => this.#write(client, `${name}-${writer}`)))
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  async #write({ link }: LogClient, name: string): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const id = `${name}-${i}`
      for (let isAgain = true; isAgain;) {
        const outcome = await link.append(0, id, Buffer.from(id))
        if (outcome.kind !== 'refused') this.sentCounts.set(id, (this.sentCounts.get(id) ?? 0) + 1)
        if (outcome.kind === 'appended') this.acknowledged.set(id, outcome.offset)
        else await pause(20)
        isAgain = outcome.kind !== 'appended' && !this.#isOver
      }
    }
  }
}

export async function grows(load: Load, by: number): Promise<void> {
  const { size } = load.acknowledged
  await until(() => load.acknowledged.size >= size + by)
}

/** Everything that was acknowledged is where that was said, for everybody, and nothing else is there. */
export function expectWhole(readers: readonly LogReader[], loads: readonly Load[]): void {
  const [first] = readers
  for (const reader of readers) {
    expect(reader.broken).toBeUndefined()
    expect(reader.records.map(({ offset }) => offset)).toEqual(reader.records.map((_, i) => i + 1))
    expect(reader.records.map(({ id }) => id)).toEqual(first!.records.map(({ id }) => id))
  }
  const counts = new Map<string, number>()
  for (const { id } of first!.records) counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const { acknowledged, sentCounts } of loads) {
    for (const [id, offset] of acknowledged) expect(first!.records[offset - 1]?.id).toBe(id)
    for (const [id, sent] of sentCounts) {
      expect(counts.get(id) ?? 0).toBeLessThanOrEqual(sent)
      counts.delete(id)
    }
  }
  expect([...counts.keys()].filter((id) => !id.startsWith('barrier:'))).toEqual([])
}

export async function upTo(readers: readonly LogReader[], offset: number): Promise<void> {
  await until(() => readers.every(({ last }) => (last?.offset ?? 0) >= offset))
}
