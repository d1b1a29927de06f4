import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { normalForm } from '../../crdt/encoding/normal-form.ts'
import { copyLoose, detached, isLoose, shared } from '../../crdt/encoding/shared-value.ts'

const plain = { name: 'a', list: [1, { deep: true }] }
const nested = { list: [1, { at: new Date(5) }], bytes: new Uint8Array([1]), other: { name: 'b' } }

describe('loose', () => {
  test('is what holds bytes or dates, whoever made the container', () => {
    for (const make of [(value: object) => decode(encode(value)), normalForm, shared, detached]) {
      expect(isLoose(make(structuredClone(plain)))).toBe(false)
      expect(isLoose(make(structuredClone(nested)))).toBe(true)
      expect(isLoose(make([[new Date(0)]]))).toBe(true)
      expect(isLoose(make(new Date(0)))).toBe(true)
    }
    const wide = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i === 9 ? new Date(1) : i]))
    expect(isLoose(decode(encode(wide)))).toBe(true)
    expect(isLoose(Object.freeze(new Date(0)))).toBe(true)
    expect(isLoose(undefined)).toBe(false)
  })

  test('is copied for each reader, and the rest is shared', () => {
    const value = decode(encode(nested)) as typeof nested
    const copy = copyLoose(value)
    expect(copy).toStrictEqual(value)
    expect(isLoose(copy)).toBe(true)
    expect(copy.other).toBe(value.other)
    ;(copy.list[1] as { at: Date }).at.setTime(9)
    copy.bytes[0] = 9
    expect(value).toStrictEqual(nested)
    expect(Object.isFrozen(copy)).toBe(true)
    expect(copyLoose(plain)).toBe(plain)
  })

  test('keeps a property called __proto__', () => {
    const value = decode(encode(JSON.parse('{"__proto__":1}'))) as object
    const holding = decode(encode({ a: value, at: new Date(0) })) as { a: object }
    expect(Object.hasOwn(copyLoose(holding).a, '__proto__')).toBe(true)
    const own = decode(encode(Object.defineProperty({}, '__proto__', { value: new Date(3), enumerable: true })))
    expect(Object.hasOwn(copyLoose(own) as object, '__proto__')).toBe(true)
  })
})

describe('a set that is shared', () => {
  test('refuses to be changed and is a set to everybody who asks', () => {
    const set = shared(new Set(['a']))
    for (const change of [() => set.add('b'), () => set.delete('a'), () => set.clear()])
      expect(change).toThrow(
        expect.objectContaining({ code: 'WARP_E_MODE', message: expect.stringContaining('new Set') }),
      )
    expect(isDeepStrictEqual(set, new Set(['a']))).toBe(true)
    expect(structuredClone(set).add('b').size).toBe(2)
    expect(new Set(set).add('b').size).toBe(2)
  })

  test('is copied with its elements where these are loose', () => {
    const set = shared(new Set([new Date(5)]))
    const copy = copyLoose(set)
    ;[...copy][0]?.setTime(6)
    expect([...set][0]?.getTime()).toBe(5)
    expect(() => copy.clear()).toThrow(/shared by all readers/)
  })
})

describe('what other code hands out', () => {
  test('is copied, so that it may go on changing it', () => {
    const state = { elements: new Set(['a']), byName: new Map([['a', [new Date(1)]]]), list: [{ n: 1 }] }
    const value = detached(state)
    expect(value).toStrictEqual(state)
    state.elements.add('b')
    state.byName.get('a')?.[0]?.setTime(2)
    state.list.push({ n: 2 })
    expect(value).toStrictEqual({ elements: new Set(['a']), byName: new Map([['a', [new Date(1)]]]), list: [{ n: 1 }] })
    expect(() => value.byName.set('b', [])).toThrow(/new Map/)
  })

  test('stays as it is where it cannot be changed', () => {
    const frozen = decode(encode(plain))
    expect(detached(frozen)).toBe(frozen)
    const instance = new URL('https://example.org')
    expect(detached(instance)).toBe(instance)
  })
})
