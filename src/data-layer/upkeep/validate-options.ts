/** What `validate` takes and gives. */
import { checkOptions, checkTypeOf, isWholeFrom, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { VALIDATED_PER_SECOND_MAX } from '../../limits.ts'

export interface ValidateOptions {
  /**
   * `'noop'` (the default): tells what it finds, and changes nothing. `'alert'`: each is the event
   * `validator:drift` as well. `'heal'`: and the copy goes, so that the next read loads; what a row lacks
   * of what it has held goes there again, if it is in the log. Heals this replica, no other one.
   */
  readonly mode?: 'noop' | 'alert' | 'heal'
  /** Keys that are looked at in a second, 1 to 1,000,000. Default: as fast as the store answers. */
  readonly perSecond?: number
  /** Ends it with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
  /**
   * What of a value counts, as a text: values with the same one are equal. Default: all of it. Use it to
   * leave out what may differ, such as the time of the last visit.
   */
  readonly digest?: (key: string, value: never) => string
}

/** What `for await` does not show: what the iteration returns at its end. */
export interface Validated {
  /** Keys that were compared. */
  readonly comparedCount: number
  /** Keys of which something was under way, or came meanwhile: nothing can be said of them now. */
  readonly skippedCount: number
  readonly driftsCount: number
}

export const VALIDATE_OPTIONS: readonly string[] = optionNames<ValidateOptions>({
  ...{ mode: true, perSecond: true, signal: true, digest: true },
})

const MODES: readonly unknown[] = ['noop', 'alert', 'heal']

/** Throws `WARP_E_CONFIG`. */
export function checkValidate(options: ValidateOptions): void {
  checkOptions('validate', options, VALIDATE_OPTIONS)
  checkTypeOf('validate', options, 'digest', 'function')
  const { mode = 'noop', perSecond = 1 } = options
  if (!MODES.includes(mode)) throw refusedOption('validate', 'mode', mode, "give 'noop', 'alert' or 'heal'")
  if (isWholeFrom(perSecond, 1, VALIDATED_PER_SECOND_MAX)) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `validate: perSecond is ${shownValue(perSecond)}; give a whole number from 1 to ${VALIDATED_PER_SECOND_MAX}`,
    { details: { option: 'perSecond' } },
  )
}
