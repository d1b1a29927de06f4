/** The body of a hello, there and back. Later versions may add to it and change nothing of it. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import { HELLO_TEXT_BYTES_MAX, REGIONS_PER_RELAY_MAX } from '../../limits.ts'
import { UNPRINTABLE } from '../../membership/name-book.ts'
import type { Hello } from './frames.ts'

const FLAG_ASKS = 1
const FLAG_PERSISTENT = 2
const FLAG_READS_CHANGES = 4
const FLAG_READS_CONFIRMATIONS = 8
/** 16 is of builds that told what is left of leases unasked. */
const FLAG_ANSWERS_LOADS = 32
const FLAG_TELLS_COPIES = 64
const FLAG_READS_LEASES = 128
/** In the byte behind the zone, which builds before channels leave out. */
const MORE_READS_MESSAGES = 1
const MORE_CARRIES_NOTHING = 2

export function writeHello(writer: ByteWriter, hello: Hello): void {
  const asks = hello.asks ? FLAG_ASKS : 0
  const isPersistent = hello.isPersistent ? FLAG_PERSISTENT : 0
  const reads =
    (hello.readsChanges ? FLAG_READS_CHANGES : 0) |
    (hello.readsConfirmations ? FLAG_READS_CONFIRMATIONS : 0) |
    (hello.readsLeases ? FLAG_READS_LEASES : 0) |
    (hello.answersLoads ? FLAG_ANSWERS_LOADS : 0) |
    (hello.tellsCopies ? FLAG_TELLS_COPIES : 0)
  writer.u8(asks | isPersistent | reads)
  writer.u8(hello.highest)
  writer.u8(hello.written)
  writer.text(hello.name)
  writer.text(hello.zone)
  writer.u8((hello.readsMessages ? MORE_READS_MESSAGES : 0) | (hello.carriesNothing ? MORE_CARRIES_NOTHING : 0))
  if (hello.region === '') return
  writer.text(hello.region)
  writer.u8(hello.relayed.length)
  for (const region of hello.relayed) writer.text(region)
}

export function readHello(reader: ByteReader): Hello {
  const flags = reader.u8()
  const [highest, written] = [reader.u8(), reader.u8()]
  const [name, zone] = [readName(reader, 'name'), readName(reader, 'zone')]
  const more = reader.isAtEnd ? 0 : reader.u8()
  const { region, relayed } = reader.isAtEnd ? NOWHERE : readRegions(reader)
  return {
    asks: (flags & FLAG_ASKS) !== 0,
    isPersistent: (flags & FLAG_PERSISTENT) !== 0,
    readsChanges: (flags & FLAG_READS_CHANGES) !== 0,
    readsConfirmations: (flags & FLAG_READS_CONFIRMATIONS) !== 0,
    readsLeases: (flags & FLAG_READS_LEASES) !== 0,
    answersLoads: (flags & FLAG_ANSWERS_LOADS) !== 0,
    tellsCopies: (flags & FLAG_TELLS_COPIES) !== 0,
    readsMessages: (more & MORE_READS_MESSAGES) !== 0,
    carriesNothing: (more & MORE_CARRIES_NOTHING) !== 0,
    ...{ highest, written, name, zone, region, relayed },
  }
}

const NOWHERE = { region: '', relayed: [] } as const

function readRegions(reader: ByteReader): Pick<Hello, 'region' | 'relayed'> {
  const [region, count] = [readName(reader, 'region'), reader.u8()]
  if (count > REGIONS_PER_RELAY_MAX) throw reader.malformed(`a relay of ${count} regions`)
  return { region, relayed: Array.from({ length: count }, () => readName(reader, 'region')) }
}

/** Shown to people in terminals: nothing in it may move a cursor or turn text round. */
export function readName(reader: ByteReader, what: string): string {
  const begin = reader.at
  const text = reader.text()
  if (reader.at - begin > HELLO_TEXT_BYTES_MAX) throw reader.malformed(`a ${what} of ${reader.at - begin} bytes`)
  if (UNPRINTABLE.test(text)) throw reader.malformed(`a ${what} that cannot be shown`)
  return text
}
