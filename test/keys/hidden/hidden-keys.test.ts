import { expect, test } from 'vitest'
import { assertNotHidden, CHANNEL_KEY_PREFIX, isHidden } from '../../../src/keys/hidden/hidden-keys.ts'
import { compilePattern } from '../../../src/keys/pattern.ts'
import { refused } from '../../support/refused.ts'

const HIDDEN = `${CHANNEL_KEY_PREFIX}chat:1`

test.each(['*', '?*', '*:1', '\u0000*', '\u0000chan*', '\u0000c?annel:*'])(
  'the pattern %j, which does not spell the prefix out, matches no hidden key',
  (pattern) => {
    expect(compilePattern(pattern).matches(HIDDEN)).toBe(false)
  },
)

test.each([`${CHANNEL_KEY_PREFIX}*`, `${CHANNEL_KEY_PREFIX}chat:*`, `${CHANNEL_KEY_PREFIX}c*1`, HIDDEN])(
  'the pattern %j, which does, matches it',
  (pattern) => {
    expect(compilePattern(pattern).matches(HIDDEN)).toBe(true)
  },
)

test('keys that only look like it are keys like others', () => {
  for (const key of ['channel:1', '\u0000channel', '\u0000other', 'x\u0000channel:1']) {
    expect(isHidden(key)).toBe(false)
    expect(compilePattern('*').matches(key)).toBe(true)
  }
})

test('nobody else registers such a pattern, and is told what to do instead', () => {
  const refusal = refused(() => assertNotHidden(`${CHANNEL_KEY_PREFIX}*`))
  expect(refusal).toMatchObject({ code: 'WARP_E_PATTERN' })
  expect(refusal.message).toContain('openWarp({ channels })')
  assertNotHidden('channel:*')
})
