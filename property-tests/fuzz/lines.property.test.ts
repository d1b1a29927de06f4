/** What comes as lines of text: exports, and what is asked over the control socket. */
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'vitest'
import { askerLine } from '../../adapters/control/control-protocol.ts'
import { readLines } from '../../bin/cli/output/lines.ts'
import { fromBase64 } from '../../src/transfer/base64.ts'
import { parseHeader, parseLine } from '../../src/transfer/export-format.ts'
import { fuzz } from './fuzz.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

const A = 'a'.repeat(16)

function linesOf(...lines: readonly object[]): Uint8Array[] {
  return lines.map((line) => ENCODER.encode(JSON.stringify(line)))
}

test('the header of an export', () => {
  fuzz({
    name: 'export header',
    corpus: linesOf(
      { kind: 'warp-export', version: 1, replica: A, timeMs: 5, applied: { [A]: 12 }, floor: {} },
      { kind: 'warp-export', version: 1, replica: A, timeMs: 5, applied: { [A]: 12 }, floor: { [A]: 3 } },
    ),
    decode: (bytes) => parseHeader(DECODER.decode(bytes)),
    refusals: ['WARP_E_PROTOCOL', 'WARP_E_LOG_VERSION'],
  })
})

test('a line of an export, and the bytes in it', () => {
  fuzz({
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

/** As the socket brings them: in two pieces, and with a limit. */
test('the lines of a control connection', () => {
  const [keys, item, cancel] = linesOf(
    { id: 1, ask: 'keys', with: { pattern: '*' } },
    { id: 2, item: ['__proto__', { a: 1 }] },
    { id: 1, cancel: true },
  ) as [Uint8Array, Uint8Array, Uint8Array]
  fuzz({
    name: 'control line',
    corpus: [keys, item, cancel].map((line) => Uint8Array.of(...line, 0x0a)),
    decode(bytes) {
      const socket = new EventEmitter()
      let isSound = true
      readLines(socket as unknown as Socket, 100, {
        onLine: (json) => (isSound &&= askerLine(json) !== undefined),
        onTooLong: () => (isSound = false),
      })
      const half = bytes.length >> 1
      socket.emit('data', Buffer.from(bytes.subarray(0, half)))
      socket.emit('data', Buffer.from(bytes.subarray(half)))
      return isSound
    },
  })
})
