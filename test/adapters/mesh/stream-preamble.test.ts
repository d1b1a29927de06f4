import { expect, test } from 'vitest'
import {
  ANSWER_BYTES,
  Opening,
  PREAMBLE_BYTES,
  answerTo,
  indexIn,
} from '../../../adapters/mesh/streams/stream-preamble.ts'
import { toHex } from '../../support/hex.ts'

const secret = new Uint8Array(32).fill(1)
const session = { index: 0xfedcba98, secret, version: 2 }
const random = (byte: number) => (count: number) => new Uint8Array(count).fill(byte)

const opening = (): Opening => new Opening(session, random(3))
const preamble = opening().preamble
const answered = answerTo(preamble, session, random(4))
const answer = answered?.answer ?? new Uint8Array()

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at]! ^= 1 << (at & 7)
  return copy
}

// Grammar: docs/mesh.md. A change of these bytes is a change of the protocol's version.
test('the bytes of a preamble and of its answer are these', () => {
  expect(toHex(preamble)).toBe(
    '57730200fedcba985dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef223fd059d93f692952c389cb6ce9274161',
  )
  expect(toHex(answer)).toBe(
    'ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10bb51fba07112378f2d97ed60b1a3fd8bf',
  )
})

test('a preamble names the session, and both ends come to the same keys, one for each direction', () => {
  expect(preamble).toHaveLength(PREAMBLE_BYTES)
  expect(indexIn(preamble)).toBe(0xfedcba98)
  const keys = opening().takeAnswer(answer)
  expect(keys).toEqual(answered?.secrets)
  expect(toHex(keys?.initiator ?? secret)).not.toBe(toHex(keys?.responder ?? secret))
})

test('an answer is smaller than what it answers, and holds for that preamble only', () => {
  expect(answer).toHaveLength(ANSWER_BYTES)
  expect(ANSWER_BYTES).toBeLessThan(PREAMBLE_BYTES)
  expect(new Opening(session, random(5)).takeAnswer(answer)).toBeUndefined()
})

test('another secret, or another version than the session’s, is not answered', () => {
  expect(answerTo(preamble, { secret: new Uint8Array(32).fill(2), version: 2 }, random(4))).toBeUndefined()
  expect(answerTo(preamble, { secret, version: 3 }, random(4))).toBeUndefined()
})

test('a preamble or an answer with any byte changed is not taken', () => {
  for (let at = 0; at < PREAMBLE_BYTES; at++) {
    const forged = flipped(preamble, at)
    const isTaken = indexIn(forged) !== undefined && answerTo(forged, session, random(4)) !== undefined
    expect(isTaken, `preamble byte ${at}`).toBe(false)
  }
  for (let at = 0; at < ANSWER_BYTES; at++) {
    expect(opening().takeAnswer(flipped(answer, at)), `answer byte ${at}`).toBeUndefined()
  }
})

test('each stream of one session has keys of its own', () => {
  const again = answerTo(preamble, session, random(6))?.secrets
  const keys = [answered?.secrets, again].flatMap((one) => (one === undefined ? [] : Object.values(one).map(toHex)))
  expect(new Set(keys).size).toBe(6)
})

test('anything else is no preamble', () => {
  expect(indexIn(new Uint8Array(PREAMBLE_BYTES))).toBeUndefined()
  expect(indexIn(preamble.subarray(1))).toBeUndefined()
})
