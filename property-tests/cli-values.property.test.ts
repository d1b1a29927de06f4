/** What the command prints as JSON is read back as it was. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printable, show } from '../bin/cli/values.ts'
import { fromJson, toJson } from '../src/control/tagged-json.ts'
import { runs } from './seed.ts'

const key = fc.oneof(
  fc.string(),
  fc.constantFrom('$bigint', '$bytes', '$date', '$number', '$set', '$plain', '__proto__'),
)

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false, Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.uint8Array(),
    fc.date({ noInvalidDate: false }),
    fc.array(tie('value')),
    fc.array(tie('value')).map((items) => new Set(items)),
    fc.array(fc.tuple(key, tie('value'))).map((entries): unknown => Object.fromEntries(entries)),
  ),
}))

test('a value comes back from JSON as it was', () => {
  fc.assert(
    fc.property(value, (original) => {
      const text = JSON.stringify(toJson(original))
      expect(fromJson(JSON.parse(text))).toStrictEqual(original)
    }),
    runs(2000),
  )
})

test('what is shown to people holds no control characters but line breaks and tabs', () => {
  fc.assert(
    fc.property(value, fc.string({ unit: 'binary' }), (shown, text) => {
      for (const line of [show(shown), printable(text)]) expect(line).not.toMatch(/[^\P{Cc}\t\n]/u)
    }),
    runs(1000),
  )
})
