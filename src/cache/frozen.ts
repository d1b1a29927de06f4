/**
 * Values are shared by all readers, so plain objects and arrays in them are frozen: changing one
 * would not be a write. What comes out of the codec is frozen already, and then this costs one
 * look; containers that a strategy's `read` has made are walked.
 */
export function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const entry of Object.values(value)) frozen(entry)
  return value
}
