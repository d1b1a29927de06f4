/** What there is under a key, as commands need it. */
import type { Call } from './command.ts'
import { wrongType } from './reply-error.ts'
import type { KeyView } from './own-view.ts'

export type { KeyView }
export type KeyKind = NonNullable<KeyView['kind']>

/** The key as it is now. */
export function viewOf({ keys, nowMs }: Call, key: string): KeyView {
  return keys.view(key, nowMs)
}

/** The same of a key that holds nothing, or that type. Throws WRONGTYPE. */
export function viewAs(call: Call, key: string, kind: KeyKind): KeyView {
  const view = viewOf(call, key)
  if (view.kind !== undefined && view.kind !== kind) throw wrongType()
  return view
}

export function isThere(call: Call, key: string): boolean {
  return viewOf(call, key).kind !== undefined
}

/** As `write` of the entries of a collection, however many they are. */
export function writeEach({ keys, nowMs }: Call, key: string, verb: string, entries: readonly unknown[]): void {
  keys.writeEach(key, verb, nowMs, entries)
}

/** Runs a verb of `redis()` at this moment. */
export function write(call: Call, key: string, verb: string, ...parameters: readonly unknown[]): boolean {
  return call.keys.write(key, verb, call.nowMs, ...parameters)
}
