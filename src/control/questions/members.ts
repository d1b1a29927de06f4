/** What operators say of who takes part. */
import { flag, text } from '../parameters.ts'
import type { Question } from '../question.ts'

export interface EvictParameters {
  /** Its name, or its id. */
  readonly replica: string
  readonly force: boolean
}

export interface Evicted {
  /** The operation that says so. */
  readonly dot: { readonly replica: string; readonly sequence: number }
}

export const EVICT: Question<EvictParameters, Evicted> = {
  name: 'evict',
  about: 'gives up a replica that does not come back',
  changes: true,
  gives: 'item',
  parameters: {
    replica: text('its name, or its id'),
    force: flag('also if it is up: it goes on under another id'),
  },
  async *answer(warp, { replica, force }) {
    const { replica: by, sequence } = await warp.evict(replica, { force })
    yield { dot: { replica: by, sequence } }
  },
}
