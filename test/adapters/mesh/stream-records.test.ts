import { createCipheriv, createSecretKey } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  EMPTY_RECORD_BYTES,
  HEAD_BYTES,
  RECORD_BYTES_MAX,
  RecordReader,
  RecordWriter,
  TAG_BYTES,
} from '../../../adapters/mesh/streams/stream-records.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { toHex } from '../../support/hex.ts'

const key = createSecretKey(new Uint8Array(32).fill(7))
const FRAME_BYTES_MAX = 4 * 1024 * 1024

interface Reading {
  readonly reader: RecordReader
  readonly frames: Uint8Array[]
}

function reading(frameBytesMax = FRAME_BYTES_MAX): Reading {
  const frames: Uint8Array[] = []
  return { reader: new RecordReader({ key, frameBytesMax, onFrame: (frame) => frames.push(frame) }), frames }
}

function sealed(...frames: readonly Uint8Array[]): Uint8Array {
  const writer = new RecordWriter(key)
  const chunks: Uint8Array[] = []
  for (const frame of frames) writer.seal(frame, false, chunks)
  return Buffer.concat(chunks)
}

function patterned(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >>> 8)) & 255)
}

// Grammar: docs/mesh.md. A change of these bytes is a change of the protocol's version.
test('the bytes of the first two records are these', () => {
  expect(toHex(sealed(Uint8Array.of(1, 2, 3), Uint8Array.of(4)))).toBe(
    '0000001360daa7bec450a89030fe8b90d401f4d2eae96000000011346c4534ae6afd9bd55f9283ff10d0b35f',
  )
})

test.each([1, 2, RECORD_BYTES_MAX - 1, RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1, 2 * RECORD_BYTES_MAX, FRAME_BYTES_MAX])(
  'a frame of %i bytes comes back as it was',
  (length) => {
    const { reader, frames } = reading()
    const frame = patterned(length)
    expect(reader.read(sealed(frame))).toBeUndefined()
    expect(frames).toHaveLength(1)
    expect(Buffer.compare(frames[0] ?? frame.subarray(1), frame)).toBe(0)
    expect(reader.isHalf).toBe(false)
  },
)

test('a frame that fits one record is one record', () => {
  const overhead = HEAD_BYTES + TAG_BYTES
  expect(sealed(patterned(RECORD_BYTES_MAX))).toHaveLength(RECORD_BYTES_MAX + overhead)
  expect(sealed(patterned(RECORD_BYTES_MAX + 1))).toHaveLength(RECORD_BYTES_MAX + 1 + 2 * overhead)
})

test('a frame of more than the limit is refused, and one of the limit is not', () => {
  const [exact, small] = [reading(1000), reading(999)]
  expect([exact.reader.read(sealed(patterned(1000))), small.reader.read(sealed(patterned(1000)))]).toEqual([
    undefined,
    'malformed',
  ])
  expect([exact.frames.length, small.frames.length]).toEqual([1, 0])
  const large = reading(2 * RECORD_BYTES_MAX)
  expect(large.reader.read(sealed(patterned(2 * RECORD_BYTES_MAX + 1)))).toBe('malformed')
  expect(large.reader.heldBytes).toBe(0)
})

test('an empty record between frames says nothing', () => {
  const { reader, frames } = reading()
  const writer = new RecordWriter(key)
  const chunks: Uint8Array[] = []
  writer.sealEmpty(chunks)
  expect(Buffer.concat(chunks)).toHaveLength(EMPTY_RECORD_BYTES)
  writer.seal(Uint8Array.of(9), false, chunks)
  expect(reader.read(Buffer.concat(chunks))).toBeUndefined()
  expect(frames.map(toHex)).toEqual(['09'])
  expect(writer.count).toBe(2)
})

test('a frame does not share memory with what arrived', () => {
  const { reader, frames } = reading()
  const bytes = sealed(patterned(1000))
  reader.read(bytes)
  bytes.fill(0)
  expect(Buffer.compare(frames[0] ?? bytes, patterned(1000))).toBe(0)
})

describe('what does not open', () => {
  const two = sealed(patterned(100), patterned(50))
  const first = two.subarray(0, 120)
  const second = two.subarray(120)

  test.each([
    ['a record left out', second],
    ['a record repeated', Buffer.concat([first, first])],
    ['records in another order', Buffer.concat([second, first])],
  ])('%s is forged', (_, bytes) => {
    const { reader, frames } = reading()
    expect(reader.read(bytes)).toBe('forged')
    expect(frames.length).toBeLessThanOrEqual(1)
  })

  test('a record with any bit changed is refused, and nothing of it handed on', () => {
    for (let bit = 0; bit < first.length * 8; bit++) {
      const bytes = Uint8Array.from(two)
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
      const { reader, frames } = reading()
      const refusal = reader.read(bytes)
      // A length that has grown waits for what never comes; a frame that was to go on is refused once the next record is there.
      expect(refusal !== undefined || reader.isHalf, `bit ${bit}`).toBe(true)
      expect(frames, `bit ${bit}`).toEqual([])
    }
  })

  test('a record under another key is forged', () => {
    const bytes: Uint8Array[] = []
    new RecordWriter(createSecretKey(new Uint8Array(32))).seal(patterned(10), false, bytes)
    expect(reading().reader.read(Buffer.concat(bytes))).toBe('forged')
  })

  test('after a refusal nothing is read any more', () => {
    const { reader, frames } = reading()
    reader.read(second)
    reader.read(two)
    expect(frames).toEqual([])
    expect(reader.heldBytes).toBe(0)
  })
})

// What follows opens: it is written by somebody who holds the key, and is wrong all the same.
describe('what a peer may not write', () => {
  const cases: readonly (readonly [string, () => Uint8Array[]])[] = [
    ['a deflated frame that is none', () => written((writer, into) => writer.seal(patterned(100), true, into))],
    [
      'a deflated frame beyond the ratio',
      () => written((writer, into) => writer.seal(deflateRawSync(new Uint8Array(2 ** 20)), true, into)),
    ],
    [
      'an empty record within a frame',
      () => {
        const half = written((writer, into) => {
          writer.seal(patterned(RECORD_BYTES_MAX + 1), false, into)
          into.length = 3 // the first record of two
        })
        const other = written((writer, into) => {
          writer.seal(patterned(1), false, [])
          writer.sealEmpty(into)
        })
        return [...half, ...other]
      },
    ],
    [
      'a frame that is deflated in one half only',
      () => {
        const half = written((writer, into) => {
          writer.seal(patterned(RECORD_BYTES_MAX + 1), true, into)
          into.length = 3
        })
        const other = written((writer, into) => {
          writer.seal(patterned(1), false, [])
          writer.seal(patterned(10), false, into)
        })
        return [...half, ...other]
      },
    ],
  ]

  test.each(cases)('%s is malformed', (_, make) => {
    const { reader, frames } = reading()
    expect(reader.read(Buffer.concat(make()))).toBe('malformed')
    expect(frames).toEqual([])
  })

  test.each([
    ['flags that do not exist', Uint8Array.of(4, 0, 0, 16)],
    ['less than a tag', Uint8Array.of(0, 0, 0, 15)],
    ['more than a record', Uint8Array.of(0, 5, 0, 17)],
  ])('a head with %s is malformed before anything behind it has arrived', (_, head) => {
    expect(reading().reader.read(head)).toBe('malformed')
  })

  test('a frame in crumbs is malformed at the first one', () => {
    // Flags 1: the frame goes on, though the record is not full.
    const head = Uint8Array.of(1, 0, 0, 10 + TAG_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12)).setAAD(head)
    const crumb = Buffer.concat([head, cipher.update(patterned(10)), cipher.final(), cipher.getAuthTag()])
    const { reader } = reading()
    expect(reader.read(crumb)).toBe('malformed')
    expect(reader.heldBytes).toBe(0)
  })
})

test('what a head promises takes no memory: what has arrived does', () => {
  const { reader } = reading()
  expect(reader.read(Uint8Array.of(0, 5, 0, 16, 1, 2, 3))).toBeUndefined()
  expect(reader.isHalf).toBe(true)
  expect(reader.heldBytes).toBeLessThan(10_000)
})

test('a stop from within a frame is the last that is heard', () => {
  const frames: Uint8Array[] = []
  const reader: RecordReader = new RecordReader({
    key,
    frameBytesMax: 1000,
    onFrame: (frame) => {
      frames.push(frame)
      reader.stop()
    },
  })
  expect(reader.read(sealed(patterned(1), patterned(2)))).toBeUndefined()
  expect(frames).toHaveLength(1)
})

// Which pieces TCP makes of a stream is nobody's choice.
test('any pieces of the bytes give the same frames', () => {
  const random = seededRandom(5)
  for (let round = 0; round < 30; round++) {
    const sent = Array.from({ length: 1 + random.below(12) }, () =>
      random.bytes(1 + random.below(random.chance(0.1) ? 2 * RECORD_BYTES_MAX : 3000)),
    )
    const bytes = sealed(...sent)
    const { reader, frames } = reading()
    for (let at = 0; at < bytes.length;) {
      const size = random.chance(0.5) ? 1 + random.below(24) : 1 + random.below(70_000)
      expect(reader.read(bytes.subarray(at, at + size))).toBeUndefined()
      at += size
    }
    expect(frames.length).toBe(sent.length)
    for (const [i, frame] of frames.entries()) expect(Buffer.compare(frame, sent[i] ?? frame.subarray(1))).toBe(0)
  }
})

function written(write: (writer: RecordWriter, into: Uint8Array[]) => void): Uint8Array[] {
  const into: Uint8Array[] = []
  write(new RecordWriter(key), into)
  return into
}
