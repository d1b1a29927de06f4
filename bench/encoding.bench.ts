/**
 * The payload codec by itself: canonical MessagePack of our own against msgpackr (not canonical)
 * and JSON.
 */
import { Packr } from 'msgpackr'
import { ByteWriter } from '../crdt/encoding/byte-writer.ts'
import { decode, encodeInto } from '../crdt/encoding/encoding.ts'
import type { BenchContext } from './support/bench.ts'
import type { Contestant } from './support/measure.ts'
import { type User, userOf } from './support/users.ts'

export const question = 'What does it cost to turn a value into bytes and back?'

export async function run(context: BenchContext): Promise<void> {
  const users = Array.from({ length: context.size(20_000) }, (_, i) => userOf(i))
  const names = ['Warp', 'msgpackr', 'JSON'] as const
  const shared = { baseline: 'msgpackr', operations: users.length }
  await context.compare({
    ...shared,
    title: 'encode a small object',
    contestants: names.map((name) => encoding(name, users)),
    goals: [{ of: 'Warp', atLeast: 1 }],
  })
  await context.compare({
    ...shared,
    title: 'decode a small object',
    contestants: names.map((name) => decoding(name, users)),
    goals: [{ of: 'Warp', atLeast: 1 }],
  })
}

type Name = 'Warp' | 'msgpackr' | 'JSON'

interface Codec {
  encode(value: User): Uint8Array
  decode(bytes: Uint8Array): unknown
}

function codec(name: Name): Codec {
  switch (name) {
    case 'Warp': {
      const writer = new ByteWriter(4096)
      return {
        encode(value) {
          writer.reset()
          encodeInto(writer, value)
          return writer.bytes.subarray(0, writer.at)
        },
        decode: (bytes) => decode(bytes),
      }
    }
    case 'msgpackr': {
      const packr = new Packr({ useRecords: false })
      return { encode: (value) => packr.pack(value), decode: (bytes) => packr.unpack(bytes) as unknown }
    }
    case 'JSON':
      return {
        encode: (value) => Buffer.from(JSON.stringify(value)),
        decode: (bytes) => JSON.parse((bytes as Buffer).toString()) as unknown,
      }
  }
}

function encoding(name: Name, users: readonly User[]): Contestant {
  return {
    name,
    open() {
      const { encode, decode } = codec(name)
      let bytes = 0
      return {
        batch() {
          for (const user of users) bytes += encode(user).length
        },
        verify() {
          if (bytes === 0) throw new Error('nothing was written')
          checkSame(decode(encode(users[1] as User)), users[1])
        },
      }
    },
  }
}

function decoding(name: Name, users: readonly User[]): Contestant {
  return {
    name,
    open() {
      const { encode, decode } = codec(name)
      const encoded = users.map((user) => Buffer.from(encode(user)))
      let last: unknown
      return {
        batch() {
          for (const bytes of encoded) last = decode(bytes)
        },
        verify: () => checkSame(last, users.at(-1)),
      }
    },
  }
}

function checkSame(actual: unknown, expected: unknown): void {
  const sorted = (value: unknown): string => JSON.stringify(Object.entries(value as object).sort())
  if (sorted(actual) !== sorted(expected)) throw new Error('what was decoded is not what was encoded')
}
