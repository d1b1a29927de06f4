import { describe, expect, test } from 'vitest'
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import { isWarpError } from '../../crdt/warp-error.ts'

interface Options {
  readonly ttlMs?: number
  readonly cache?: object
  readonly clockDriftMsMax?: number
}

const NAMES = optionNames<Options>({ ttlMs: true, cache: true, clockDriftMsMax: true })

function refusal(options: unknown): string {
  try {
    checkOptions('openWarp', options, NAMES)
  } catch (error) {
    if (isWarpError(error, 'WARP_E_CONFIG')) return error.message
    throw error
  }
  return 'accepted'
}

describe('options', () => {
  test('that exist are accepted, and none at all', () => {
    expect(refusal({ ttlMs: 1, cache: undefined })).toBe('accepted')
    expect(refusal(undefined)).toBe('accepted')
    expect(refusal({})).toBe('accepted')
  })

  test.each([
    ['ttl', 'ttlMs'],
    ['ttlms', 'ttlMs'],
    ['tltMs', 'ttlMs'],
    ['cahce', 'cache'],
    ['clockDriftMs', 'clockDriftMsMax'],
  ])("misspelt as '%s' are refused with the name that was meant", (name, meant) => {
    expect(refusal({ [name]: 1 })).toBe(`openWarp: there is no option '${name}'; did you mean '${meant}'?`)
  })

  test('that resemble none are refused with the list of all', () => {
    expect(refusal({ colour: 1 })).toBe("openWarp: there is no option 'colour'; it takes ttlMs, cache, clockDriftMsMax")
    expect(refusal({ ['x'.repeat(10_000)]: 1 })).toContain('it takes ttlMs')
  })

  test('that are no object are refused', () => {
    expect(refusal(null)).toBe('openWarp: the options are null; give an object')
    expect(refusal(5)).toBe('openWarp: the options are the number 5; give an object')
  })

  test('carry their names in the details', () => {
    expect(() => checkOptions('set', { ttl: 1 }, NAMES)).toThrow(
      expect.objectContaining({ details: { option: 'ttl', meant: 'ttlMs' } }),
    )
  })
})
