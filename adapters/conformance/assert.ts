/** The few checks that the suites need, so that they depend on no test runner. */

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

export function assertEqual<Value extends string | number | boolean | undefined>(
  actual: Value,
  expected: Value,
  what: string,
): void {
  assert(Object.is(actual, expected), `${what}: expected ${String(expected)}, got ${String(actual)}`)
}

export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  assertEqual(actual.length, expected.length, 'length in bytes')
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  if (at >= 0) assertEqual(actual[at], expected[at], `byte ${at}`)
}

/** `call` must throw an Error. */
export function assertRejected(call: () => unknown): void {
  try {
    call()
  } catch (cause) {
    assert(cause instanceof Error, 'an Error is thrown, not another value')
    return
  }
  throw new Error('expected an error, and there was none')
}
