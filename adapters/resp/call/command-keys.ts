/**
 * Keys as commands name them: bytes. Names are Warp's, which are text, so what is no UTF-8 is refused.
 * Everything here is of this turn: see `DirectKeys`.
 */
import type { DirectKeys, KeyPage } from '../../../src/api/direct/direct-keys.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { toText } from '../protocol/bytes.ts'
import { ReplyError } from './reply-error.ts'

export class CommandKeys {
  readonly direct: DirectKeys

  constructor(direct: DirectKeys) {
    this.direct = direct
  }

  /** The strategy of the key's pattern. */
  strategy(key: string): AnyStrategy {
    return this.direct.strategy(nameOf(key))
  }

  /** The state of the key by its strategy; `undefined` if it never had one. Not to be changed. */
  state(key: string): unknown {
    return this.direct.state(nameOf(key))
  }

  /** What readers of Warp see. */
  value(key: string): unknown {
    return this.direct.value(nameOf(key))
  }

  /** Runs a verb of the key's strategy. Returns whether anything was written. */
  write(key: string, verb: string, ...parameters: readonly unknown[]): boolean {
    return this.direct.write(nameOf(key), verb, parameters)
  }

  /** Deletes the key the engine's way. */
  delete(key: string): boolean {
    return this.direct.delete(nameOf(key))
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
}

/** The name of a key, as Warp has it. */
export function nameOf(key: string): string {
  const name = toText(key)
  if (name === undefined) throw new ReplyError('ERR the name of a key is no UTF-8, and names of keys are text here')
  if (name === '') throw new ReplyError('ERR the name of a key is empty, and has one character at least here')
  return name
}
