/** Whether memory says what the primary stores say. */
import type { Validated, ValidateOptions } from '../../data-layer/upkeep/validate-options.ts'
import type { Drift } from '../../store/event.ts'
import { number, optional, text } from '../parameters.ts'
import type { Question } from '../question.ts'

export interface CheckParameters {
  readonly pattern: string
  readonly mode: string
  readonly perSecond?: number
}

/** As the event `validator:drift` names it. */
export interface FoundDrift extends Omit<Drift, 'kind'> {
  readonly kind: 'drift'
  readonly drift: Drift['kind']
}

export interface CheckedStores extends Validated {
  readonly kind: 'checked'
}

/** Ends with an item that says how many keys were compared. */
export const CHECK: Question<CheckParameters, FoundDrift | CheckedStores> = {
  name: 'check',
  about: 'which keys drift: memory and primary store differ with nothing under way; then how many were compared',
  changes: true,
  gives: 'items',
  parameters: {
    pattern: text('which keys: * for any run of characters, ? for one', '*'),
    mode: text('noop: tells; alert: each is an event, too; heal: and the copy goes', 'noop'),
    perSecond: optional(number('how many keys are looked at in a second')),
  },
  async *answer(warp, { pattern, mode, perSecond }, { signal }) {
    const bound = perSecond === undefined ? {} : { perSecond }
    // What is no mode is refused by the engine.
    const findings = warp.validate(pattern, { mode: mode as NonNullable<ValidateOptions['mode']>, signal, ...bound })
    for (;;) {
      const { done, value } = await findings.next()
      if (done === true) {
        yield { kind: 'checked', ...value }
        return
      }
      const { kind: drift, ...found } = value
      yield { kind: 'drift', drift, ...found }
    }
  },
}
