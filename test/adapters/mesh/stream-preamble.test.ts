import { expect, test } from 'vitest'
import {
  ANSWER_BYTES,
  PREAMBLE_BYTES,
  answerTo,
  indexIn,
  isAnswerAuthentic,
  isPreambleAuthentic,
  preambleOf,
  streamKeys,
} from '../../../adapters/mesh/streams/stream-preamble.ts'
import { toHex } from '../../support/hex.ts'

const secret = new Uint8Array(32).fill(1)
const other = new Uint8Array(32).fill(2)
const preamble = preambleOf({ index: 0xfedcba98, secret }, new Uint8Array(16).fill(3))
const answer = answerTo(preamble, secret, new Uint8Array(16).fill(4))

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

// Grammar: docs/mesh.md. A change of these bytes is a change of the protocol's version.
test('the bytes of a preamble and of its answer are these', () => {
  expect(toHex(preamble)).toBe('57730100fedcba980303030303030303030303030303030346afb4ce92b9ecaec00887021aafd228')
  expect(toHex(answer)).toBe('04040404040404040404040404040404b94847c4b5b9a2af04c694091aa6ec30')
})

test('a preamble names the session and proves its secret', () => {
  expect(preamble).toHaveLength(PREAMBLE_BYTES)
  expect(indexIn(preamble)).toBe(0xfedcba98)
  expect([isPreambleAuthentic(preamble, secret), isPreambleAuthentic(preamble, other)]).toEqual([true, false])
})

test('an answer is smaller than what it answers, and holds for that preamble and secret only', () => {
  expect(answer).toHaveLength(ANSWER_BYTES)
  expect(ANSWER_BYTES).toBeLessThan(PREAMBLE_BYTES)
  const another = preambleOf({ index: 0xfedcba98, secret }, new Uint8Array(16).fill(5))
  expect(isAnswerAuthentic({ preamble, answer }, secret)).toBe(true)
  expect(isAnswerAuthentic({ preamble: another, answer }, secret)).toBe(false)
  expect(isAnswerAuthentic({ preamble, answer }, other)).toBe(false)
})

test('a preamble or an answer with any bit changed proves nothing', () => {
  for (let at = 0; at < PREAMBLE_BYTES; at++) {
    const forged = flipped(preamble, at)
    expect(indexIn(forged) !== undefined && isPreambleAuthentic(forged, secret), `preamble byte ${at}`).toBe(false)
  }
  for (let at = 0; at < ANSWER_BYTES; at++) {
    expect(isAnswerAuthentic({ preamble, answer: flipped(answer, at) }, secret), `answer byte ${at}`).toBe(false)
  }
})

test('another version, or anything else, is no preamble', () => {
  expect(indexIn(flipped(preamble, 2))).toBeUndefined()
  expect(indexIn(new Uint8Array(PREAMBLE_BYTES))).toBeUndefined()
})

test('both directions have keys of their own, and another nonce gives others', () => {
  const exported = (keys: ReturnType<typeof streamKeys>): string[] =>
    [keys.opener, keys.answerer].map((key) => toHex(key.export()))
  const again = answerTo(preamble, secret, new Uint8Array(16).fill(6))
  const keys = [
    ...exported(streamKeys({ preamble, answer }, secret)),
    ...exported(streamKeys({ preamble, answer: again }, secret)),
  ]
  expect(new Set(keys).size).toBe(4)
  expect(exported(streamKeys({ preamble, answer }, secret))).toEqual(keys.slice(0, 2))
})
