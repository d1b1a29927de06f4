/** What comes as lines of text: exports, and what is asked over the control socket. */
import { test } from 'vitest'
import { asTexts, readParameters } from '../../src/control/parameters.ts'
import { QUESTIONS } from '../../src/control/questions.ts'
import { fromBase64 } from '../../crdt/encoding/base64.ts'
import { parseHeader, parseLine } from '../../src/transfer/export-format.ts'
import { fuzz } from './fuzz.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

const A = 'a'.repeat(16)

function linesOf(...lines: readonly object[]): Uint8Array[] {
  return lines.map((line) => ENCODER.encode(JSON.stringify(line)))
}

test('the header of an export', async () => {
  await fuzz({
    name: 'export header',
    corpus: linesOf(
      { kind: 'warp-export', version: 1, replica: A, timeMs: 5, applied: { [A]: 12 }, floor: {} },
      { kind: 'warp-export', version: 1, replica: A, timeMs: 5, applied: { [A]: 12 }, floor: { [A]: 3 } },
    ),
    decode: (bytes) => parseHeader(DECODER.decode(bytes)),
    refusals: ['WARP_E_PROTOCOL', 'WARP_E_LOG_VERSION'],
  })
})

test('a line of an export, and the bytes in it', async () => {
  await fuzz({
    name: 'export line',
    corpus: linesOf(
      { kind: 'snapshot', key: 'cart:7', strategy: 'set', operationsCount: 3, timeMs: 5, record: 'AQIDBA==' },
      {
        kind: 'operation',
        key: 'é',
        replica: A,
        sequence: 4,
        timeMs: 5,
        does: 'update',
        payload: {},
        envelope: 'AQI=',
      },
      { kind: 'end', snapshotsCount: 1, operationsCount: 9 },
    ),
    decode(bytes) {
      const line = parseLine(DECODER.decode(bytes))
      if (line.kind === 'snapshot') fromBase64(line.record)
      if (line.kind === 'operation') fromBase64(line.envelope)
    },
  })
})

/** As a body of JSON brings them, and as the query of a URL does. */
test('the parameters of a question', async () => {
  const asked = [
    { ask: 'keys', with: { pattern: '*', dead: true } },
    { ask: 'set', with: { key: 'a', value: ['__proto__', { a: 1 }], durable: false } },
    { ask: 'do', with: { key: 'a', verb: 'add', parameters: [1, 'b'] } },
    { ask: 'at', with: { key: 'a', version: 3 } },
    { ask: 'watch', with: { pattern: 'a', from: 2 } },
  ]
  for (const form of ['json', 'text'] as const) {
    await fuzz({
      name: `question as ${form}`,
      corpus: linesOf(...asked.map((one) => ({ ...one, with: form === 'json' ? one.with : textsOf(one.with) }))),
      decode(bytes) {
        const { ask, given } = askedIn(DECODER.decode(bytes))
        const question = QUESTIONS.get(ask)
        return question === undefined ? false : readParameters(question.parameters, given, form)
      },
      refusals: ['WARP_E_PROTOCOL'],
    })
  }
})

function textsOf(parameters: object): object {
  return Object.fromEntries(asTexts(parameters))
}

/** What is no JSON, or names no question, is refused before its parameters are read. */
function askedIn(text: string): { readonly ask: string; readonly given: unknown } {
  try {
    const { ask, with: given } = JSON.parse(text) as { readonly ask: string; readonly with: unknown }
    return { ask, given }
  } catch {
    return { ask: '', given: undefined }
  }
}
