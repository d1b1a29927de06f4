/** A transaction within a session: it tells the session which keys it names. */
import type { AnyTransaction } from '../../strong/transactions/transaction-types.ts'

export function noting(tx: AnyTransaction, note: (key: string) => void): AnyTransaction {
  const named = (key: string): string => {
    if (typeof key === 'string') note(key)
    return key
  }
  return {
    signal: tx.signal,
    get: (key) => tx.get(named(key)),
    getMany: (keys) => tx.getMany(Array.from(keys, named)),
    set: (key, value, options) => tx.set(named(key), value, options),
    delete: (key) => tx.delete(named(key)),
    key: (key) => tx.key(named(key)),
    expect: (key, expected) => tx.expect(named(key), expected),
    compareAndSet: (key, expected, next, options) => tx.compareAndSet(named(key), expected, next, options),
  }
}
