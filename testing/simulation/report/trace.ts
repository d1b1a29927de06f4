/**
 * What happens in a run, step by step: a running hash over all of it, which says whether two runs
 * were the same, and on demand the steps themselves, from which the time line and the diagram are
 * drawn. The hash is two lanes of a multiply-and-rotate mix (as in MurmurHash3); it guards against
 * accidents, not against people.
 */

export type TraceStep =
  | {
      readonly kind: 'frame'
      readonly atMs: number
      readonly from: string
      readonly to: string
      readonly sentMs: number
    }
  | { readonly kind: 'lost'; readonly atMs: number; readonly from: string; readonly to: string; readonly why: string }
  | { readonly kind: 'call'; readonly atMs: number; readonly machine: string; readonly text: string }
  | { readonly kind: 'life'; readonly atMs: number; readonly machine: string; readonly text: string }
  | { readonly kind: 'report'; readonly atMs: number; readonly machine: string; readonly text: string }
  | { readonly kind: 'world'; readonly atMs: number; readonly text: string }

/** Steps kept, the newest ones. */
const STEPS_MAX = 200_000

export class Trace {
  readonly steps: TraceStep[] = []
  /** Everything that went into the hash so far. */
  stepCount = 0
  readonly #keeps: boolean
  #a = 0x9747b28c
  #b = 0x1b873593

  constructor(keeps: boolean) {
    this.#keeps = keeps
  }

  get hash(): string {
    return [this.#a, this.#b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** Part of the hash, and kept if steps are. `text` says everything that matters. */
  note(atMs: number, text: string, step?: () => TraceStep): void {
    this.stepCount++
    this.#mix(Math.round(atMs * 1000))
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i))
    if (step !== undefined) this.keep(step)
  }

  bytes(atMs: number, label: number, bytes: Uint8Array): void {
    this.stepCount++
    this.#mix(Math.round(atMs * 1000))
    this.#mix(label)
    const words = bytes.length >>> 2
    for (let i = 0; i < words; i++) {
      const at = i << 2
      this.#mix(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    }
    for (let i = words << 2; i < bytes.length; i++) this.#mix(bytes[i]!)
  }

  /** Not part of the hash. */
  keep(step: () => TraceStep): void {
    if (!this.#keeps) return
    this.steps.push(step())
    if (this.steps.length > STEPS_MAX) this.steps.splice(0, STEPS_MAX / 2)
  }

  #mix(word: number): void {
    const mixed = Math.imul(word, 0xcc9e2d51)
    this.#a = (Math.imul(this.#a ^ ((mixed << 15) | (mixed >>> 17)), 5) + 0xe6546b64) | 0
    this.#b = Math.imul(this.#b ^ this.#a ^ word, 0x85ebca6b)
    this.#b ^= this.#b >>> 13
  }
}
