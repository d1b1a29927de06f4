import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type ReplicaId, parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { FRAME_BYTES_MAX, VECTOR_ENTRIES_MAX } from '../../src/limits.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { FrameDecoder } from '../../src/replication/wire/frame-decoder.ts'
import { FrameEncoder } from '../../src/replication/wire/frame-encoder.ts'
import { OperationsBatch } from '../../src/replication/wire/operations-batch.ts'
import { type Frame } from '../../src/replication/wire/frames.ts'
import { seededRandom } from '../../testing/world/random.ts'

const A = parseReplicaId('0102030405060708')
const B = parseReplicaId('1112131415161718')
const sender = { replica: A, session: 0xcafe0001 }
const encoder = new FrameEncoder(new ReplicaTable(), () => sender)

function vector(...entries: [ReplicaId, number][]): VersionVector {
  return VersionVector.from(entries)
}

function operations(number: number, end: boolean, ...envelopes: Uint8Array[]): Uint8Array {
  const batch = new OperationsBatch(new ReplicaTable())
  batch.begin(sender, number)
  for (const envelope of envelopes) batch.add(envelope, 0, envelope.length)
  return batch.finish(end)
}

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const decode = (bytes: Uint8Array): Frame => new FrameDecoder().decode(bytes)

/** The header of a record of the log, as frames carry it. */
const record = (bytes: number): string => '00000000' + '01' + bytes.toString(16).padStart(6, '0') + '00'.repeat(8)

/** The vectors of docs/wire-format.md. */
const HEAD = '0102030405060708cafe0001'
const VECTORS: Readonly<Record<string, readonly [string, () => Uint8Array]>> = {
  digest: [
    `0201${HEAD}03` +
      '02' +
      '010203040506070805' +
      '1112131415161718ac02' +
      '01' +
      '010203040506070803' +
      '01' +
      '010203040506070804' +
      '01' +
      '1112131415161718' +
      '02' +
      '010203040506070805' +
      '111213141516171800' +
      '09',
    () => {
      const vectors = { applied: vector([B, 300], [A, 5]), floor: vector([A, 3]), stable: vector([A, 4]) }
      const retired = [
        [A, 5],
        [B, 0],
      ] as const
      return encoder.digest({ reply: true, ...vectors, heard: [B], retired }, 9)
    },
  ],
  operations: [
    `0202${HEAD}01` + '07' + `${record(3)}616263` + `${record(1)}64`,
    () => operations(7, true, bytesOf('616263'), bytesOf('64')),
  ],
  request: [
    `0203${HEAD}` + '07' + '01' + '1112131415161718' + '04' + 'ac02',
    () => encoder.request(7, [{ replica: B, from: 4, to: 300 }]),
  ],
  'snapshot-request': [
    `0204${HEAD}` + '00000009' + '02' + '03' + '08',
    () => encoder.snapshotRequest({ transfer: 9, acknowledged: 2, from: 3, count: 8 }),
  ],
  'snapshot-chunk': [
    `0205${HEAD}` + '03' + '00000009' + '00000004' + '00' + '01010203040506070805' + '03616263',
    () =>
      encoder.snapshotChunk({
        transfer: 9,
        offer: 4,
        index: 0,
        last: true,
        refused: false,
        vector: vector([A, 5]),
        bytes: bytesOf('616263'),
      }),
  ],
  'digest-change': [
    `0206${HEAD}06` + '09' + '02' + '01' + '010203040506070806' + '00' + '01' + '010203040506070805',
    () => {
      const risen = { applied: vector([A, 6]), floor: vector(), stable: vector([A, 5]) }
      return encoder.digestChange({ reply: false, asks: 'whole', anchor: 9, count: 2, announcesAll: false, risen })
    },
  ],
  hello: [
    `0207${HEAD}e7` + '02' + '02' + '057765622d31' + '026575' + '01',
    () =>
      encoder.hello({
        ...{
          asks: true,
          isPersistent: true,
          readsChanges: true,
          readsConfirmations: false,
          readsLeases: true,
          answersLoads: true,
          tellsCopies: true,
          readsMessages: true,
          carriesNothing: false,
        },
        ...{ highest: 2, written: 2, name: 'web-1', zone: 'eu', region: '', relayed: [] },
      }),
  ],
  wanted: [
    `0208${HEAD}01` + '0102030405060708' + '02' + 'ac02',
    () => encoder.wanted([{ replica: A, level: 'durable', through: 300 }]),
  ],
  held: [
    `0209${HEAD}01` + '1112131415161718' + 'ac02' + '8001' + '00',
    () => encoder.held([{ replica: B, memory: 300, logged: 128, durable: 0 }]),
  ],
  confirmation: [
    `020a${HEAD}` + '1112131415161718' + 'ac02' + '05' + 'a202',
    () => encoder.confirmation({ replica: B, applied: 300, own: 5, stable: 290 }),
  ],
  'roll-call': [
    `020b${HEAD}` + '09' + 'ac02' + 'a402' + 'a202' + '01' + '0007',
    () => encoder.rollCall({ anchor: 9, acknowledged: 300, stable: 292, announced: 290, through: [[0, 7]] }),
  ],
  'load-request': [
    `020e${HEAD}` + '07' + '01' + '06757365723a31' + '01' + '0102030405060708' + 'ac02',
    () => encoder.loadRequest({ number: 7, isSecond: true, key: 'user:1', need: vector([A, 300]) }),
  ],
  'load-fill': [
    `020f${HEAD}` + '07' + '06' + '01' + '0102030405060708' + 'ac02' + '8827' + '01' + '0161' + '02' + 'a178',
    () => {
      const value = Uint8Array.of(0xa1, 0x78)
      const fill = { kind: 'fill', begin: vector([A, 300]), value, leftMs: 5000, tags: ['a'] } as const
      return encoder.loadFill({ number: 7, answer: fill })
    },
  ],
  'rows-stored': [
    `0210${HEAD}` + '01' + '06757365723a31' + '01' + '0102030405060708' + 'ac02',
    () => encoder.rowsStored([{ key: 'user:1', vector: vector([A, 300]) }]),
  ],
  'holdings-wanted': [
    `0211${HEAD}` + '07' + '01' + '06757365723a2a' + 'ac02',
    () => encoder.holdingsWanted({ number: 7, wanted: { kind: 'keys', pattern: 'user:*', from: 300 } }),
  ],
  'holdings-told': [
    `0212${HEAD}` +
      '07' +
      '02' +
      '01' +
      '0102030405060708' +
      'ac02' +
      '02' +
      '01' +
      '01' +
      '04' +
      '8827' +
      '00' +
      '02a178',
    () => {
      const copy = { value: Uint8Array.of(0xa1, 0x78), leftMs: 5000, tags: [] }
      const told = { kind: 'copies', begin: vector([A, 300]), lookedCount: 2, copies: [[1, copy]] } as const
      return encoder.holdingsTold({ number: 7, told })
    },
  ],
  'lease-wanted': [
    `0213${HEAD}` + '07' + '01' + '10' + '30303131323233333434353536366666',
    () => encoder.leaseWanted({ number: 7, leases: ['00112233445566ff'] }),
  ],
  'lease-left': [
    `0214${HEAD}` + '07' + '01' + '10' + '30303131323233333434353536366666' + '0102030405060708' + 'ac02' + '8827',
    () => {
      const left = { lease: '00112233445566ff', renewal: { replica: A, sequence: 300 }, leftMs: 5000 }
      return encoder.leaseLeft({ number: 7, lefts: [left] })
    },
  ],
  message: [
    `0215${HEAD}` + '06636861743a31' + '02' + 'ac02' + '808080808020' + '02a178',
    () => {
      const bytes = Uint8Array.of(0xa1, 0x78)
      return encoder.message({ channel: 'chat:1', stream: 2, number: 300, timeMs: 2 ** 40, bytes })
    },
  ],
  'message-heads': [
    `0216${HEAD}` + '01' + '06636861743a31' + '02' + 'ac02' + '8827',
    () => encoder.messageHeads([{ channel: 'chat:1', stream: 2, number: 300, agoMs: 5000 }]),
  ],
  members: [
    `0217${HEAD}01` +
      ('1112131415161718' + '01' + '02' + 'e807' + '057765622d32' + '00' + '026575' + '07') +
      ('01' + '0102030405060708' + 'ac02') +
      ('01' + '0102030405060708' + '05') +
      ('01' + '2122232425262728' + '09'),
    () =>
      encoder.members([
        {
          ...{ replica: B, isPersistent: true, isDown: false, format: 2, silentMs: 1000 },
          ...{ name: 'web-2', zone: '', region: 'eu' },
          ...{ through: 7, acknowledged: vector([A, 300]), stable: vector([A, 5]) },
          ended: [[parseReplicaId('2122232425262728'), 9]],
        },
      ]),
  ],
}

test('a hello with a region says where its sender sits, and one that ends before that says nothing of it', () => {
  const plain = { asks: false, isPersistent: false, readsChanges: true, readsConfirmations: true, readsLeases: true }
  const reads = { answersLoads: true, tellsCopies: true, readsMessages: true, carriesNothing: false }
  const hello = { ...plain, ...reads, highest: 2, written: 2, name: '', zone: '' }
  const at = (region: string, relayed: readonly string[], carriesNothing = false): Uint8Array =>
    encoder.hello({ ...hello, carriesNothing, region, relayed }).slice()
  expect(hex(at('eu', ['eu', 'us']))).toBe(
    `0207${HEAD}ec` + '0202' + '0000' + '01' + '026575' + '02' + '026575' + '027573',
  )
  expect(decode(at('eu', ['eu', 'us']))).toMatchObject({ region: 'eu', relayed: ['eu', 'us'] })
  expect(decode(at('eu', []))).toMatchObject({ region: 'eu', relayed: [], carriesNothing: false })
  expect(decode(at('eu', ['eu', 'us'], true))).toMatchObject({ readsMessages: true, carriesNothing: true })
  expect(decode(at('', []))).toMatchObject({ region: '', relayed: [] })
  expect(() => decode(at('eu', ['eu', 'us']).subarray(0, -1))).toThrow('malformed')
  expect(() =>
    decode(
      at(
        'eu',
        Array.from({ length: 17 }, () => 'r'),
      ),
    ),
  ).toThrow('a relay of 17 regions')
})

test.each([true, false])('a relay says whether a member is known to be down: %s', (isDown) => {
  const empty = { acknowledged: vector(), stable: vector(), ended: [] }
  const row = { replica: B, isPersistent: false, isDown, format: 2, silentMs: 0, name: '', zone: '', region: 'eu' }
  expect(decode(encoder.members([{ ...row, through: 0, ...empty }]))).toMatchObject({ members: [row] })
})

test('the vectors are those of docs/wire-format.md', () => {
  const text = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')
  const section = text.split('\n### Frame vectors\n')[1]?.split('\n#')[0] ?? ''
  const rows = [...section.matchAll(/^\| ([a-z-]+) \| `([0-9a-f]+)` \|/gm)].map(([, kind, bytes]) => [kind, bytes])
  expect(rows).toEqual(Object.entries(VECTORS).map(([kind, [bytes]]) => [kind, bytes]))
})

describe.each(Object.entries(VECTORS))('%s', (kind, [expected, encode]) => {
  test('encodes to the bytes of the document', () => {
    expect(hex(encode())).toBe(expected)
  })

  test('decodes to what was encoded', () => {
    expect(decode(bytesOf(expected))).toMatchObject({ kind, sender })
  })

  // Operations may be fewer: whoever asked for them asks again. A chunk cut short at the end of an item was taken for whole once.
  test('cut short anywhere it is refused, unless it is of operations, and nothing else is thrown', () => {
    const frame = encode().slice()
    // A hello without its last byte is one of a build that does not know of channels.
    const shortest = kind === 'hello' ? frame.length - 1 : frame.length
    for (let length = 0; length < shortest; length++) {
      const cut = (): Frame => decode(frame.subarray(0, length))
      if (kind !== 'operations' || length < 16)
        expect(cut).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
      else {
        try {
          expect(cut().kind).toBe('operations')
        } catch (error) {
          expect(error).toMatchObject({ code: 'WARP_E_PROTOCOL' })
        }
      }
    }
  })
})

describe('an answer with the row of a store', () => {
  const [meta, token] = [Uint8Array.of(5), Uint8Array.of(6, 7)]
  const known = vector([A, 301])
  const fill = { kind: 'fill', begin: vector([A, 300]), leftMs: 0, tags: [] } as const
  const whole = `020f${HEAD}` + '07' + '0e' + '01' + '0102030405060708' + 'ac02' + '00' + '00' + '01a1'

  test.each([
    ['a row', { value: Uint8Array.of(0xa1), row: { meta, token, known } }, '01' + '0105' + '020607'],
    ['a tombstone', { value: undefined, row: { meta, token, known } }, undefined],
    ['no row', { value: undefined, row: { meta: undefined, token: new Uint8Array(0), known } }, undefined],
  ])('%s comes back as it was', (_, row, bytes) => {
    const frame = encoder.loadFill({ number: 7, answer: { ...fill, ...row } }).slice()
    if (bytes !== undefined) expect(hex(frame)).toBe(whole + bytes + '01' + '0102030405060708' + 'ad02')
    const decoded = decode(frame)
    expect(decoded).toMatchObject({ kind: 'load-fill', number: 7 })
    const { answer } = decoded as Extract<Frame, { kind: 'load-fill' }>
    expect(answer).toMatchObject({ ...row, row: { meta: row.row.meta, token: row.row.token } })
    expect(answer.kind === 'fill' && answer.row?.known.get(A)).toBe(301)
    for (let length = 0; length < frame.length; length++)
      expect(() => decode(frame.subarray(0, length))).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  })
})

describe('refused with WARP_E_PROTOCOL', () => {
  const entry = (i: number): string => i.toString(16).padStart(16, '0')
  const many = VECTOR_ENTRIES_MAX + 1
  const refused: readonly (readonly [string, () => Uint8Array])[] = [
    ['a frame beyond the limit', () => new Uint8Array(FRAME_BYTES_MAX + 1).fill(1)],
    ['another frame version', () => bytesOf(`0301${HEAD}00000000`)],
    ['a vector out of order', () => bytesOf(`0201${HEAD}00` + `02${entry(2)}01${entry(1)}01` + '0000')],
    ['a replica twice', () => bytesOf(`0201${HEAD}00` + `02${entry(1)}01${entry(1)}02` + '0000')],
    ['a sequence of 0', () => bytesOf(`0201${HEAD}00` + `01${entry(1)}00` + '0000')],
    [
      'more vector entries than allowed',
      () =>
        bytesOf(
          `0201${HEAD}00` + '8120' + Array.from({ length: many }, (_, i) => `${entry(i + 1)}01`).join('') + '0000',
        ),
    ],
    ['more entries than bytes', () => bytesOf(`0201${HEAD}00` + 'ff1f' + '00')],
    ['a number beyond 2^53', () => bytesOf(`0203${HEAD}` + 'ffffffffffffff7f' + '00')],
    ['a range that runs backwards', () => bytesOf(`0203${HEAD}` + '0101' + entry(1) + '0504')],
    ['a range from 0', () => bytesOf(`0203${HEAD}` + '0101' + entry(1) + '0004')],
    ['10,001 operations', () => operations(0, false, ...Array.from({ length: 10_001 }, () => Uint8Array.of(1)))],
    ['an operation beyond the end', () => bytesOf(`0202${HEAD}0000` + record(5) + '6162')],
    [
      'a record that is no operation among operations',
      () => bytesOf(`0202${HEAD}0000` + '0000000002000001' + '00'.repeat(9)),
    ],
    ['a record header that is cut short', () => bytesOf(`0202${HEAD}0000` + record(0).slice(2))],
    ['a window of no chunks', () => bytesOf(`0204${HEAD}` + '00000009' + '000000')],
    ['a chunk outside the window', () => bytesOf(`0204${HEAD}` + '00000009' + '001001')],
    ['bytes behind a request', () => bytesOf(`0203${HEAD}` + '0700' + '00')],
    ['a load of no key', () => bytesOf(`020e${HEAD}` + '07' + '00' + '00' + '00')],
    ['an answer of a kind that there is not', () => bytesOf(`020f${HEAD}` + '07' + '03')],
    ['more groups than a value may have', () => bytesOf(`020f${HEAD}` + '07' + '02' + '00' + '00' + 'ff7f')],
    ['a question for what there is not', () => bytesOf(`0211${HEAD}` + '07' + '03')],
    ['a question for no pattern', () => bytesOf(`0211${HEAD}` + '07' + '01' + '00' + '00')],
    ['more keys than may be asked for', () => bytesOf(`0211${HEAD}` + '07' + '02' + '8108' + '0161'.repeat(1025))],
    ['more copies than bytes', () => bytesOf(`0212${HEAD}` + '07' + '02' + '00' + '00' + '05')],
    [
      'a copy that lives for ever and a day',
      () => bytesOf(`0212${HEAD}` + '07' + '02' + '00' + '01' + '01' + '00' + '00' + 'ffffffffffff07' + '00'),
    ],
    ['a value beyond the end', () => bytesOf(`020f${HEAD}` + '07' + '06' + '00' + '00' + '00' + '0561')],
    ['a lease with a name that is none', () => bytesOf(`0213${HEAD}` + '07' + '01' + '10' + '5a'.repeat(16))],
    [
      'a lease that was renewed by nothing',
      () => bytesOf(`0214${HEAD}` + '07' + '01' + '10' + '30'.repeat(16) + entry(1) + '0001'),
    ],
    ['a name beyond the limit', () => bytesOf(`0207${HEAD}000202` + '8102' + '61'.repeat(257) + '00')],
    ['a name that moves a cursor', () => bytesOf(`0207${HEAD}000202` + '041b5b3241' + '00')],
    ['a zone that turns text round', () => bytesOf(`0207${HEAD}000202` + '00' + '03e280ae')],
    ['a name that is not UTF-8', () => bytesOf(`0207${HEAD}000202` + '01ff' + '00')],
    ['an acknowledgement of nothing asked for', () => bytesOf(`0208${HEAD}01` + entry(1) + '0000')],
    ['a level that there is not', () => bytesOf(`0208${HEAD}01` + entry(1) + '0301')],
    ['65 acknowledgements', () => bytesOf(`0209${HEAD}41` + `${entry(1)}010101`.repeat(65))],
    ['bytes behind acknowledgements', () => bytesOf(`0209${HEAD}01` + entry(1) + '01010100')],
    ['a first chunk without its vector', () => bytesOf(`0205${HEAD}` + '01' + '00000009' + '00000004' + '00')],
  ]
  test.each(refused)('%s', (_, bytes) => {
    expect(() => decode(bytes())).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  })
})

test('10,000 operations and 4096 vector entries are not too many', () => {
  expect(decode(operations(0, false, ...Array.from({ length: 10_000 }, () => Uint8Array.of(1)))).kind).toBe(
    'operations',
  )
  const full = VersionVector.from(
    Array.from(
      { length: VECTOR_ENTRIES_MAX },
      (_, i) => [parseReplicaId(i.toString(16).padStart(16, '0')), i + 1] as const,
    ),
  )
  const frame = encoder.digest({ reply: false, applied: full, floor: full, stable: full, heard: [], retired: [] })
  const decoded = decode(frame)
  expect(decoded.kind === 'digest' && decoded.applied.size).toBe(VECTOR_ENTRIES_MAX)
})

test('kinds of later versions are told apart, and the rest of a digest is left to them', () => {
  expect(decode(bytesOf(`0263${HEAD}ffff`))).toEqual({ kind: 'unknown', sender, code: 0x63 })
  expect(decode(bytesOf(`0201${HEAD}000000000000` + 'c0ffee')).kind).toBe('digest')
})

test('50,000 random and damaged frames are decoded or refused, and nothing else', () => {
  const random = seededRandom('frames')
  const decoder = new FrameDecoder()
  const whole = Object.values(VECTORS).map(([text]) => bytesOf(text))
  let refusedCount = 0
  for (let i = 0; i < 50_000; i++) {
    const frame = random.chance(0.2) ? random.bytes(random.below(60)) : random.pick(whole).slice()
    for (let flips = random.below(3); flips >= 0 && frame.length > 0; flips--)
      frame[random.below(frame.length)] = random.below(256)
    try {
      decoder.decode(frame)
    } catch (error) {
      refusedCount++
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
    }
  }
  expect(refusedCount).toBeGreaterThan(1000)
})
