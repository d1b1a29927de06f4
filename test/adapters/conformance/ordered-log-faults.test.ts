/** Logs that are wrong in one way each: the suite has to find them, and finds nothing in the right one. */
import { describe, expect, test } from 'vitest'
import { orderedLogSuite } from '../../../adapters/conformance/ordered-log/suite.ts'
import { isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type {
  AppendOutcome,
  Bookmark,
  OrderedLog,
  OrderedLogLink,
  OrderedLogReader,
  OrderedRecord,
} from '../../../src/ports/ordered-log.ts'
import { type MemoryOrderedLog, memoryOrderedLogOn } from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'
import { subjectOf } from '../../support/ordered-log-subject.ts'

type Wrong = (link: OrderedLogLink, log: MemoryOrderedLog) => Partial<OrderedLogLink>

/** Whether a log that is wrong in one way fails the check of that name. */
async function fails(wrong: Wrong, check: string): Promise<boolean> {
  const outcomes: Promise<boolean>[] = []
  orderedLogSuite({
    test: (name, run) => {
      if (name !== check) return
      const outcome = run()
      outcomes.push(
        outcome.then(
          () => false,
          () => true,
        ),
      )
    },
    create: ({ partitions }) => {
      const env = virtualEnv()
      const right = memoryOrderedLogOn(env, { partitions })
      const log: OrderedLog = {
        kind: 'ordered',
        name: right.name,
        open: async (receiver) => {
          const link = await right.open(receiver)
          return { ...delegated(link), ...wrong(link, right) }
        },
      }
      return { ...subjectOf(right), log, settle: () => env.advance(20) }
    },
  })
  expect(outcomes.length).toBe(1)
  return (await outcomes[0]) ?? false
}

/** The methods of a link, bound to it: private fields want their own object. */
function delegated(link: OrderedLogLink): OrderedLogLink {
  return {
    identity: link.identity,
    partitionsCount: link.partitionsCount,
    recordBytesMax: link.recordBytesMax,
    promises: link.promises,
    append: (partition, id, bytes, signal) => link.append(partition, id, bytes, signal),
    barrier: (partition, signal) => link.barrier(partition, signal),
    follow: (partition, after, reader) => link.follow(partition, after, reader),
    saveSnapshot: (partition, snapshot) => link.saveSnapshot(partition, snapshot),
    loadSnapshot: (partition) => link.loadSnapshot(partition),
    trim: (partition, offset) => link.trim(partition, offset),
    close: () => link.close(),
  }
}

/** Readers of a log that is wrong in what it hands over. */
function handing(change: (reader: OrderedLogReader, after: Bookmark | undefined) => OrderedLogReader): Wrong {
  return (link) => ({ follow: (partition, after, reader) => link.follow(partition, after, change(reader, after)) })
}

/** Outcomes of a log that is wrong in what it answers. */
function answering(change: (outcome: AppendOutcome) => AppendOutcome): Wrong {
  return (link) => ({
    append: async (partition, id, bytes, signal) => change(await link.append(partition, id, bytes, signal)),
  })
}

describe('the suite finds a log that', () => {
  test.each<[string, Wrong, string]>([
    [
      'keeps every tenth record for itself',
      handing((reader) => ({
        ...delegatedReader(reader),
        records: (batch) => {
          const kept = batch.filter(({ offset }) => offset % 10 !== 0)
          return kept.length > 0 ? reader.records(kept) : undefined
        },
      })),
      'thousands of records come, all of them, in order',
    ],
    [
      'acknowledges what it has not kept',
      (link) => {
        let count = 0
        return {
          append: (partition, id, bytes, signal) =>
            ++count % 5 === 0
              ? Promise.resolve({ kind: 'appended', offset: count })
              : link.append(partition, id, bytes, signal),
        }
      },
      'the outcome of an append is the place at which the record is handed over',
    ],
    [
      'has an order of its own for each link',
      (link) => {
        const held: OrderedRecord[] = []
        let count = 0
        return {
          follow: (partition, after, reader) =>
            link.follow(partition, after, {
              ...delegatedReader(reader),
              records: (batch) => {
                const all = [...held.splice(0), ...batch]
                if (++count === 1 && all.length > 1) all.reverse()
                return reader.records(all)
              },
            }),
        }
      },
      'thousands of records come, all of them, in order',
    ],
    [
      'names another place than the one that a record gets',
      answering((outcome) => (outcome.kind === 'appended' ? { ...outcome, offset: outcome.offset + 1 } : outcome)),
      'the outcome of an append is the place at which the record is handed over',
    ],
    [
      'hands over the bookmark itself',
      (link, log) => ({
        follow: (partition, after, reader) => {
          const before = log.records(partition).findLast(({ offset }) => offset < (after?.offset ?? 0))
          return link.follow(partition, before, reader)
        },
      }),
      'a reader with a bookmark is handed what lies behind it',
    ],
    [
      'does not wait for its readers',
      handing((reader) => ({ ...delegatedReader(reader), records: (batch) => void reader.records(batch) })),
      'a reader is handed no more until it has dealt with what it has',
    ],
    [
      'goes on with a reader that has stopped',
      (link) => ({
        follow: (partition, after, reader) => {
          let isStopped = false
          const stop = link.follow(partition, after, {
            ...delegatedReader(reader),
            records: (batch) => {
              if (isStopped) stop()
              return reader.records(batch)
            },
          })
          return () => (isStopped = true)
        },
      }),
      'a reader that stops within a batch is called no more',
    ],
    [
      'takes a second reader',
      (link, log) => ({
        follow: (partition, after, reader) => {
          try {
            return link.follow(partition, after, reader)
          } catch (error) {
            if (!isWarpError(error, 'WARP_E_CONFIG') || !/has a reader/.test(error.message)) throw error
            void log.open({ connected: () => undefined }).then((other) => other.follow(partition, after, reader))
            return () => undefined
          }
        },
      }),
      'a partition has one reader of a link at a time',
    ],
    [
      'hands over from within append',
      (link) => {
        const readers: OrderedLogReader[] = []
        return {
          follow: (partition, after, reader) => {
            readers.push(reader)
            return link.follow(partition, after, reader)
          },
          append: (partition, id, bytes, signal) => {
            for (const reader of readers) void reader.records([{ offset: 1, id, timeMs: 1, bytes: bytes.slice() }])
            return link.append(partition, id, bytes, signal)
          },
        }
      },
      'nobody is called from within a call',
    ],
    [
      'cuts off what is larger than a record may be',
      (link) => ({
        append: (partition, id, bytes, signal) =>
          link.append(partition, id, bytes.subarray(0, link.recordBytesMax), signal),
      }),
      'a record of recordBytesMax is taken whole, and one byte more is refused',
    ],
    [
      'refuses the largest record',
      (link) => ({
        append: async (partition, id, bytes, signal) => {
          const error = new WarpError('WARP_E_LIMIT', 'as large as the limit')
          if (bytes.length === link.recordBytesMax) return { kind: 'refused', error }
          return link.append(partition, id, bytes, signal)
        },
      }),
      'a record of recordBytesMax is taken whole, and one byte more is refused',
    ],
    [
      'has one order for all partitions',
      (link) => ({
        append: (_, id, bytes, signal) => link.append(0, id, bytes, signal),
        follow: (_, after, reader) => link.follow(0, after, reader),
      }),
      'partitions have orders of their own',
    ],
    [
      'drops a record whose bytes it has seen',
      (link, log) => ({
        append: async (partition, id, bytes, signal) => {
          const known = log
            .records(partition)
            .find((record) => bytes.length > 3 && record.bytes.join() === bytes.join())
          if (known !== undefined) return { kind: 'appended', offset: known.offset }
          return link.append(partition, id, bytes, signal)
        },
      }),
      'two records with the same bytes and different ids are two records',
    ],
    [
      'keeps the buffers of those who append',
      (link) => ({
        append: (partition, id, bytes, signal) => {
          buffers.set(id, bytes)
          return link.append(partition, id, bytes, signal)
        },
        follow: (partition, after, reader) =>
          link.follow(partition, after, {
            ...delegatedReader(reader),
            records: (batch) =>
              reader.records(batch.map((record) => ({ ...record, bytes: buffers.get(record.id) ?? record.bytes }))),
          }),
      }),
      'bytes come back as they were, whatever happens to the buffer afterwards',
    ],
    [
      'tells each link the time of its own clock',
      (link) => {
        const own = Math.floor(link.identity.length * 1000 + ++clocks)
        return {
          follow: (partition, after, reader) =>
            link.follow(partition, after, {
              ...delegatedReader(reader),
              records: (batch) => reader.records(batch.map((record) => ({ ...record, timeMs: own }))),
            }),
        }
      },
      'a record has a time, the same for everybody',
    ],
    [
      'answers a barrier with what it has seen itself',
      (link) => ({ barrier: () => Promise.resolve(0 * link.partitionsCount) }),
      'a barrier lies at or behind all that was acknowledged, whoever appended it',
    ],
    [
      'answers a barrier behind the last record',
      (link) => ({ barrier: async (partition, signal) => (await link.barrier(partition, signal)) + 1 }),
      'the record at a barrier is handed over, behind all that was acknowledged',
    ],
    [
      'names a place that a barrier has by another id',
      (link) => ({
        barrier: async (partition, signal) => {
          const outcome = await link.append(partition, 'fence', new Uint8Array(), signal)
          return outcome.kind === 'appended' ? outcome.offset : link.barrier(partition, signal)
        },
      }),
      'what a barrier appends is empty, and says so in its id',
    ],
    [
      'shows a snapshot before it is complete',
      (link) => ({
        saveSnapshot: async (partition, { bookmark, pieces }) => {
          const all: Uint8Array[] = []
          for await (const piece of pieces) {
            all.push(piece.slice())
            await link.saveSnapshot(partition, { bookmark, pieces: piecesOf(all) })
          }
          await link.saveSnapshot(partition, { bookmark, pieces: piecesOf(all) })
        },
      }),
      'a snapshot that is not complete is not seen, and the former one is',
    ],
    [
      'keeps the last snapshot instead of the furthest',
      (link) => {
        const saved = lastSnapshots
        return {
          saveSnapshot: async (partition, snapshot) => {
            const all: Uint8Array[] = []
            for await (const piece of snapshot.pieces) all.push(piece.slice())
            await link.saveSnapshot(partition, { ...snapshot, pieces: piecesOf(all) })
            saved.set(`${link.identity} ${partition}`, { bookmark: snapshot.bookmark, all })
          },
          loadSnapshot: (partition) => {
            const last = saved.get(`${link.identity} ${partition}`)
            return Promise.resolve(last && { bookmark: last.bookmark, pieces: piecesOf(last.all) })
          },
        }
      },
      'of two snapshots the one that reaches further stays, whichever comes first',
    ],
    [
      'keeps the pieces of a snapshot without copying them',
      (link) => ({
        saveSnapshot: async (partition, { bookmark, pieces }) => {
          const all: Uint8Array[] = []
          for await (const piece of pieces) all.push(piece)
          await link.saveSnapshot(partition, { bookmark, pieces: piecesOf(all) })
        },
      }),
      'what is done to a piece afterwards is not seen',
    ],
    [
      'takes a snapshot of records that are not there',
      (link, log) => ({
        saveSnapshot: (partition, snapshot) => {
          const last = log.records(partition).at(-1) ?? snapshot.bookmark
          const isThere = log.records(partition).some(({ id }) => id === snapshot.bookmark.id)
          return link.saveSnapshot(partition, isThere ? snapshot : { ...snapshot, bookmark: last })
        },
      }),
      'a snapshot of records that are not there is refused',
    ],
    [
      'trims what no snapshot holds',
      (link, log) => ({
        trim: (partition, offset) =>
          link.trim(partition, offset).catch(() => {
            log.purge(partition)
          }),
      }),
      'nothing is trimmed without a snapshot',
    ],
    [
      'skips what was trimmed',
      (link) => ({
        follow: (partition, after, reader) => {
          let stop = (): void => undefined
          stop = link.follow(partition, after, {
            ...delegatedReader(reader),
            trimmed: () => {
              void link.loadSnapshot(partition).then((snapshot) => {
                stop = link.follow(partition, snapshot?.bookmark, reader)
              })
            },
          })
          return () => stop()
        },
      }),
      'who comes late is told so, and goes on from the snapshot',
    ],
    [
      'sends away who has missed nothing',
      (link, log) => ({
        follow: (partition, after, reader) => {
          const first = log.records(partition)[0]?.offset ?? Infinity
          if (after === undefined || after.offset >= first) return link.follow(partition, after, reader)
          return link.follow(partition, undefined, reader)
        },
      }),
      'who is at the last record that was trimmed misses nothing',
    ],
    [
      'looks at the offset of a bookmark alone',
      (link, log) => ({
        follow: (partition, after, reader) => {
          const there = log.records(partition).find(({ offset }) => offset === after?.offset)
          return link.follow(partition, after && { ...after, id: there?.id ?? after.id }, reader)
        },
      }),
      'a bookmark of another log is told to be broken',
    ],
    ['has the same identity always', () => ({ identity: '0123456789abcdef' }), 'two logs have two identities'],
    [
      'has an identity for each link',
      (link) => ({ identity: `${link.identity.slice(0, 12)}${String(++clocks).padStart(4, '0')}` }),
      'every link is told the same of the log, before and after all have closed',
    ],
    [
      'promises more than a process can',
      (link) => ({ promises: { ...link.promises, survives: 'power loss' } }),
      'the promises are data that says no more than can be',
    ],
    [
      'does not look at the signal',
      (link) => ({ append: (partition, id, bytes) => link.append(partition, id, bytes) }),
      'an append whose signal has fired is refused, and leaves no record',
    ],
    [
      'refuses what it appends all the same',
      (link) => ({
        append: async (partition, id, bytes, signal) => {
          const outcome = await link.append(partition, id, bytes, signal)
          return outcome.kind === 'unknown' ? { ...outcome, kind: 'refused' } : outcome
        },
      }),
      'an append that is given up under way is answered, and leaves no record if it was refused',
    ],
    [
      'leaves callers waiting when it closes',
      (link) => {
        let isClosed = false
        return {
          append: async (partition, id, bytes, signal) => {
            const outcome = await link.append(partition, id, bytes, signal)
            return isClosed ? new Promise<never>(() => undefined) : outcome
          },
          close: () => {
            isClosed = true
            return link.close()
          },
        }
      },
      'closing answers everything that waits',
    ],
    [
      'goes on when it is closed',
      () => ({ close: () => Promise.resolve() }),
      'a closed link refuses everything, and closes again without harm',
    ],
    [
      'answers barriers of a log that was rolled back',
      (link, log) => ({
        barrier: (partition, signal) =>
          link.barrier(partition, signal).catch((error: unknown) => {
            if (isWarpError(error, 'WARP_E_ORDER_BROKEN')) return log.records(partition).at(-1)?.offset ?? 0
            throw error
          }),
      }),
      'a log that was rolled back and has grown again is told',
    ],
    [
      'waits for a connection with every append',
      (link) => ({
        append: async (partition, id, bytes, signal) => {
          const outcome = await link.append(partition, id, bytes, signal)
          const isAway = outcome.kind === 'refused' && outcome.error.code === 'WARP_E_TRANSPORT'
          return isAway ? new Promise<never>(() => undefined) : outcome
        },
      }),
      'a lost connection is told, nothing is appended meanwhile, and the reader goes on',
    ],
  ])('%s', async (_, wrong, check) => {
    expect(await fails(() => ({}), check)).toBe(false)
    expect(await fails(wrong, check)).toBe(true)
  })
})

let clocks = 0
const buffers = new Map<string, Uint8Array>()
const lastSnapshots = new Map<string, { readonly bookmark: Bookmark; readonly all: readonly Uint8Array[] }>()

function delegatedReader(reader: OrderedLogReader): OrderedLogReader {
  return {
    records: (batch) => reader.records(batch),
    trimmed: (firstOffset) => reader.trimmed(firstOffset),
    broken: (error) => reader.broken(error),
  }
}

async function* piecesOf(all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all
}
