import { expect, test } from 'vitest'
import { served } from '../../../support/resp/served.ts'

const { ask } = served()

test('BITFIELD makes room for what it would change, also where that fails', async () => {
  expect(await ask('BITFIELD', 'b', 'OVERFLOW', 'FAIL', 'SET', 'u8', '#2', '256')).toBe('*[nil]')
  expect(await ask('STRLEN', 'b')).toBe(':3')
})

test('BITFIELD refuses at once what would take seconds', async () => {
  await ask('SETBIT', 'long', '8000000', '1')
  const steps = Array.from({ length: 80 }, () => ['SET', 'u8', '0', '1']).flat()
  expect(await ask('BITFIELD', 'long', ...steps)).toMatch(/^-ERR 80 changes of a string of 1000001 bytes are too many/)
})

test('bits end where strings end', async () => {
  expect(await ask('SETBIT', 'c', String(8 * 1024 * 1024 * 8), '1')).toMatch(/^-ERR bit offset/)
})
