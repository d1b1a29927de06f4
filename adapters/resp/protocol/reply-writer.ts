/**
 * Replies as text of bytes: everything that a chunk of requests is answered with is one string, written
 * at once. What RESP3 says in types of its own RESP2 says with others, so a command writes what it means
 * (`map`, `double`, `null`) and no tree of a reply is built.
 */
import { shownDouble } from './numbers.ts'

export type ProtocolVersion = 2 | 3

const SMALL_INTEGERS: readonly string[] = Array.from({ length: 256 }, (_, n) => `:${n}\r\n`)

export class ReplyWriter {
  protocol: ProtocolVersion = 2
  #text = ''

  get length(): number {
    return this.#text.length
  }

  /** What has been written, which is gone with that. */
  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  /** Takes back what was written since `length` was this. */
  cut(length: number): void {
    this.#text = this.#text.slice(0, length)
  }

  /** What was written since `length` was this, taken out. */
  takeFrom(length: number): string {
    const text = this.#text.slice(length)
    this.cut(length)
    return text
  }

  ok(): void {
    this.#text += '+OK\r\n'
  }

  /** A binary string without line ends. */
  simple(text: string): void {
    this.#text += `+${text}\r\n`
  }

  /** A binary string: its first word is the code, which clients compare. Line ends become blanks. */
  error(text: string): void {
    this.#text += `-${text.replace(/[\r\n]/g, ' ')}\r\n`
  }

  integer(value: number | bigint): void {
    this.#text += typeof value === 'number' && value >= 0 && value < 256 ? SMALL_INTEGERS[value]! : `:${value}\r\n`
  }

  /** A binary string. */
  bulk(binary: string): void {
    this.#text += `$${binary.length}\r\n${binary}\r\n`
  }

  bulkOrNull(binary: string | undefined): void {
    if (binary === undefined) this.null()
    else this.bulk(binary)
  }

  null(): void {
    this.#text += this.protocol === 3 ? '_\r\n' : '$-1\r\n'
  }

  /** Where an array would stand. */
  nullArray(): void {
    this.#text += this.protocol === 3 ? '_\r\n' : '*-1\r\n'
  }

  /** So many elements follow. */
  array(count: number): void {
    this.#text += `*${count}\r\n`
  }

  bulks(binaries: readonly string[]): void {
    this.array(binaries.length)
    for (const binary of binaries) this.bulk(binary)
  }

  /** So many pairs follow. */
  map(count: number): void {
    this.#text += this.protocol === 3 ? `%${count}\r\n` : `*${count * 2}\r\n`
  }

  set(count: number): void {
    this.#text += this.protocol === 3 ? `~${count}\r\n` : `*${count}\r\n`
  }

  push(count: number): void {
    this.#text += this.protocol === 3 ? `>${count}\r\n` : `*${count}\r\n`
  }

  double(value: number): void {
    const shown = shownDouble(value)
    if (this.protocol === 3) this.#text += `,${shown}\r\n`
    else this.bulk(shown)
  }

  /** A text for people. */
  verbatim(binary: string): void {
    if (this.protocol === 3) this.#text += `=${binary.length + 4}\r\ntxt:${binary}\r\n`
    else this.bulk(binary)
  }

  /** What another writer of the same protocol has written. */
  raw(text: string): void {
    this.#text += text
  }
}
