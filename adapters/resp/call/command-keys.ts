/**
 * Keys as commands name them: bytes. Names are Warp's, which are text, so what is no UTF-8 is refused.
 * Everything here is of this turn: see `DirectKeys`.
 *
 * A key of `redis()` and one of another strategy are asked and written in the same words: those of
 * `redis()` (`crdt/redis/view.ts`, `verbs.ts`).
 */
import { RedisState } from '../../../crdt/redis/state.ts'
import { RedisView } from '../../../crdt/redis/view.ts'
import { FoldFirst, type DirectKeys, type KeyPage } from '../../../src/api/direct/direct-keys.ts'
import { toText } from '../protocol/bytes.ts'
import { ownView, type KeyView } from './own-view.ts'
import { writeOwn } from './own-verbs.ts'
import { isReplacing, piecesOf } from './pieces.ts'
import { ReplyError } from './reply-error.ts'

/** Parameters of one call. */
const ENTRIES_PER_CALL = 4096
/** Of more it is not asked what has been added to each when something takes their place. */
const LARGE_ENTRIES = 1024

const NOTHING = new RedisState()

export class CommandKeys {
  readonly direct: DirectKeys
  /** Whether a command is writing: what enters a key now is its own. */
  isWriting = false
  readonly #onLife: (name: string, untilMs: number) => void

  /** `onLife` is told how long a key of `redis()` lives by what has been written; for ever, where it says nothing. */
  constructor(direct: DirectKeys, onLife: (name: string, untilMs: number) => void = () => undefined) {
    this.direct = direct
    this.#onLife = onLife
  }

  /** What is under a key at that time. Valid until the key changes. */
  view(key: string, nowMs: number): KeyView {
    return this.viewOf(nameOf(key), nowMs)
  }

  /** The same of a key as Warp has it. */
  viewOf(name: string, nowMs: number): KeyView {
    const { kind } = this.direct.strategy(name)
    if (kind === 'redis') return new RedisView((this.direct.state(name) as RedisState | undefined) ?? NOTHING, nowMs)
    return ownView(kind, this.direct.value(name), this.direct.untilMs(name))
  }

  /** The name of the key's strategy. */
  strategy(key: string): string {
    return this.direct.strategy(nameOf(key)).kind
  }

  /** Runs a verb of `redis()`, or what fits it of the key's strategy. Returns whether anything was written. */
  write(key: string, verb: string, nowMs: number, ...parameters: readonly unknown[]): boolean {
    const name = nameOf(key)
    const { kind } = this.direct.strategy(name)
    if (kind !== 'redis') return writeOwn({ direct: this.direct, name, strategy: kind, nowMs }, verb, parameters)
    this.isWriting = true
    try {
      if (!this.#writeRedis(name, verb, nowMs, parameters)) return false
    } finally {
      this.isWriting = false
    }
    const untilMs = saidLife(verb, parameters)
    if (untilMs < Infinity) this.#onLife(name, untilMs)
    return true
  }

  /**
   * What `run` writes is in the log as a whole, or not at all, after a crash. What it throws is thrown when
   * that is done: what it has written by then stays.
   */
  together(run: () => void): void {
    let fault: Error | undefined
    this.direct.together(() => {
      try {
        run()
      } catch (error) {
        fault = error as Error
      }
    })
    if (fault !== undefined) throw fault
  }

  delete(key: string): boolean {
    return this.direct.delete(nameOf(key))
  }

  /** Whether a key has a history that takes more than a step to fold: `fold` it first. */
  isLong(key: string): boolean {
    try {
      this.view(key, 0)
      return false
    } catch (error) {
      return error instanceof FoldFirst
    }
  }

  /** Waits until a key with a long history has been folded, in steps. */
  fold(key: string): Promise<void> {
    return this.direct.fold(nameOf(key))
  }

  version(key: string): number {
    return this.direct.version(nameOf(key))
  }

  page(from: number, slotsMax: number): KeyPage {
    return this.direct.page(from, slotsMax)
  }

  /** As `write` of a collection's entries, however many they are. */
  writeEach(key: string, verb: string, nowMs: number, entries: readonly unknown[]): void {
    if (entries.length === 0) return
    const steps = Math.ceil(entries.length / ENTRIES_PER_CALL)
    if (steps === 1) this.write(key, verb, nowMs, ...entries)
    else
      this.together(() => {
        // From the end on: entries of a list are named by their indexes.
        for (let i = steps - 1; i >= 0; i--)
          this.write(key, verb, nowMs, ...entries.slice(i * ENTRIES_PER_CALL, (i + 1) * ENTRIES_PER_CALL))
      })
  }

  /**
   * What is over, or large, goes by a delete, which names nothing of it: what is written in its place would
   * name each addition in it.
   */
  #writeRedis(name: string, verb: string, nowMs: number, parameters: readonly unknown[]): boolean {
    const { direct } = this
    const state = direct.state(name) as RedisState | undefined
    if (state?.kind !== undefined && state.untilMs <= nowMs) direct.delete(name)
    const pieces = piecesOf(verb, parameters)
    const isCleared = pieces !== undefined && state !== undefined && isLarge(state) && isReplacing(verb, parameters)
    if (pieces === undefined || (pieces.length === 1 && !isCleared))
      return direct.write(name, verb, [nowMs, ...parameters])
    let isWritten = false
    const { untilMs = Infinity } = state ?? {}
    this.together(() => {
      if (isCleared) direct.delete(name)
      for (const piece of pieces) {
        const given = isCleared && piece[1] === 'kept' ? [piece[0], untilMs] : piece
        isWritten = direct.write(name, verb, [nowMs, ...given]) || isWritten
      }
    })
    return isWritten
  }
}

function isLarge({ hash, zset }: RedisState): boolean {
  return Math.max(hash?.size ?? 0, zset?.table.size ?? 0) > LARGE_ENTRIES
}

/** Until when a key lives by the parameters of a verb; `Infinity` where they say nothing. */
function saidLife(verb: string, parameters: readonly unknown[]): number {
  if (verb === 'put') return typeof parameters[1] === 'number' ? parameters[1] : Infinity
  if (verb === 'live') return parameters[0] as number
  const last = parameters.at(-1)
  if (typeof last !== 'object' || last === null) return Infinity
  const { replacing = last } = last as { readonly replacing?: object }
  return (replacing as { readonly untilMs?: number } | undefined)?.untilMs ?? Infinity
}

/** The name of a key, as Warp has it. */
export function nameOf(key: string): string {
  const name = toText(key)
  if (name === undefined) throw new ReplyError('ERR the name of a key is no UTF-8, and names of keys are text here')
  if (name === '') throw new ReplyError('ERR the name of a key is empty, and has one character at least here')
  return name
}
