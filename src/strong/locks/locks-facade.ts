/** `warp.locks`, which is there before it is known whether anybody orders. */
import { asError } from '../../../crdt/warp-error.ts'
import type { Turns } from '../../operation/turns.ts'
import type { Locks } from './lock-types.ts'

/** `find` throws what a call says where there can be no locks. */
export function locksOf(turns: Turns, find: (call: string) => Locks): Locks {
  const asked = <Result>(call: string, ask: (locks: Locks) => Promise<Result>): Promise<Result> => {
    try {
      return turns.after(ask(find(`locks.${call}`)))
    } catch (error) {
      return turns.rejected(asError(error))
    }
  }
  return {
    acquire: (name, options) => asked('acquire', (locks) => locks.acquire(name, options)),
    tryAcquire: (name, options) => asked('tryAcquire', (locks) => locks.tryAcquire(name, options)),
    withLock: (name, run, options) => asked('withLock', (locks) => locks.withLock(name, run, options)),
    info: (name) => find('locks.info').info(name),
    list: () => find('locks.list').list(),
  }
}
