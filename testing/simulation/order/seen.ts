/** What the users of each machine have last seen of each key: what a compare-and-set goes by. */
import type { CallRecord } from '../report/run-history.ts'
import type { CasAnswer, Expecting, OrderIntent, VersionedAnswer } from './order-intent.ts'

interface Sight {
  version?: number
  value?: number
}

/** No value that anybody writes. */
const NEVER = -1

export class Seen {
  readonly #sights = new Map<string, Sight>()

  expected(machine: string, { key, by }: Extract<OrderIntent, { readonly kind: 'cas' }>): Expecting {
    const { version = 0, value = NEVER } = this.#of(machine, key)
    if (by === 'absent') return 'absent'
    return by === 'version' ? { version } : { value }
  }

  /** Takes notice of a call that has ended. */
  note({ intent, outcome, machine, value, receipt }: CallRecord): void {
    if (outcome !== 'ok' || !('key' in intent)) return
    const sight = this.#of(machine, intent.key)
    switch (intent.kind) {
      case 'read':
        if (typeof value === 'number') sight.value = value
        return
      case 'versioned':
      case 'stale':
        this.#noteVersioned(sight, value as VersionedAnswer)
        return
      case 'cas':
        this.#noteCas(sight, value as CasAnswer, intent.next)
        return
      default:
        if (receipt !== undefined) sight.version = receipt.version
    }
  }

  #noteCas(sight: Sight, answer: CasAnswer, next: number): void {
    if ('conflict' in answer) sight.version = answer.conflict
    else Object.assign(sight, { version: answer.version, value: next })
  }

  #noteVersioned(sight: Sight, { value, version }: VersionedAnswer): void {
    sight.version = version
    if (typeof value === 'number') sight.value = value
  }

  #of(machine: string, key: string): Sight {
    const name = `${machine} ${key}`
    const sight = this.#sights.get(name) ?? {}
    this.#sights.set(name, sight)
    return sight
  }
}
