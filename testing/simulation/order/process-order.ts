/**
 * The ordered log as one process sees it: nobody is called once the process has died, and whoever is
 * paused is called when it goes on. What a process had asked for may be carried out all the same.
 */
import { asError } from '../../../crdt/warp-error.ts'
import type {
  OrderedLog,
  OrderedLogLink,
  OrderedLogReader,
  OrderedLogReceiver,
  OrderedSnapshot,
} from '../../../src/ports/ordered-log.ts'
import type { Life } from '../life.ts'

export function processOrder(order: OrderedLog, life: Life): OrderedLog {
  return {
    kind: 'ordered',
    name: order.name,
    open: (receiver) => told(life, open(order, life, receiver)),
  }
}

async function open(order: OrderedLog, life: Life, receiver: OrderedLogReceiver): Promise<OrderedLogLink> {
  const link = await order.open({
    connected: (isConnected) => life.run(() => receiver.connected(isConnected)),
    report: (report) => life.run(() => receiver.report?.(report)),
  })
  // It died while it was being connected.
  if (!life.isAlive) await link.close()
  return {
    identity: link.identity,
    partitionsCount: link.partitionsCount,
    recordBytesMax: link.recordBytesMax,
    promises: link.promises,
    append: (...record) => told(life, link.append(...record)),
    barrier: (...partition) => told(life, link.barrier(...partition)),
    follow(partition, after, reader) {
      let isOver = false
      const stop = link.follow(
        partition,
        after,
        readerOf((callback) => life.run(() => (isOver ? undefined : callback())), reader),
      )
      return () => {
        isOver = true
        stop()
      }
    },
    saveSnapshot: (...snapshot) => told(life, link.saveSnapshot(...snapshot)),
    loadSnapshot: async (partition) => snapshotOf(life, await told(life, link.loadSnapshot(partition))),
    trim: (...place) => told(life, link.trim(...place)),
    close: () => link.close(),
  }
}

function readerOf(run: (callback: () => void) => void, reader: OrderedLogReader): OrderedLogReader {
  return {
    records: (batch) =>
      new Promise((resolve, reject) => {
        run(() => {
          Promise.resolve(reader.records(batch)).then(resolve, (error: unknown) => reject(asError(error)))
        })
      }),
    trimmed: (firstOffset) => run(() => reader.trimmed(firstOffset)),
    broken: (error) => run(() => reader.broken(error)),
  }
}

function snapshotOf(life: Life, snapshot: OrderedSnapshot | undefined): OrderedSnapshot | undefined {
  if (snapshot === undefined) return undefined
  return { bookmark: snapshot.bookmark, pieces: piecesFor(life, snapshot.pieces) }
}

async function* piecesFor(life: Life, pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  for (;;) {
    const next = await told(life, iterator.next())
    if (next.done === true) return
    yield next.value
  }
}

/** Settles in the process's own time, or never if it has died. */
function told<Answer>(life: Life, asked: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.then(
      (answer) => life.run(() => resolve(answer)),
      (error: unknown) => life.run(() => reject(asError(error))),
    )
  })
}
