/**
 * Everything that an engine with `instruments` records, and nothing else. What it is asked for
 * stands in `src/observability/observed-catalogue.ts`. docs/observability.md is made of both:
 * `npm run docs:observability`.
 */
import type { Instrument } from './instruments.ts'

type Entry =
  | 'events'
  | 'open'
  | 'writes'
  | 'settle'
  | 'flushDuration'
  | 'flushBytes'
  | 'syncDuration'
  | 'checkpoint'
  | 'foldDuration'
  | 'longRead'
  | 'compaction'
  | 'compactedKeys'
  | 'compactedOperations'
  | 'compactedBytes'
  | 'sentFrames'
  | 'sentBytes'
  | 'receivedFrames'
  | 'receivedBytes'
  | 'appliedOperations'
  | 'inboxFrames'
  | 'waitingOperations'
  | 'members'
  | 'snapshotFetch'
  | 'snapshotBytes'
  | 'load'
  | 'storeRequest'
  | 'storeFill'
  | 'projectionRebuild'

export const INSTRUMENTS: Readonly<Record<Entry, Instrument>> = {
  events: counter('warp.events', '{event}', 'Events that the observer was told of, by kind.', 'kind'),
  open: span('warp.open', 'Opening the engine: reading its log and joining its networks.', 'outcome'),
  writes: counter(
    'warp.writes',
    '{operation}',
    'Operations written here, by how safe their writer wanted them to be.',
    'ack',
  ),
  settle: span(
    'warp.write.settle',
    'From a write, or from `settled`, until it was as safe as asked. Nothing for writes that had nothing to wait for.',
    'ack',
    'outcome',
  ),
  flushDuration: histogram('warp.log.flush.duration', 'ms', 'Handing a group of records to the operating system.'),
  flushBytes: histogram('warp.log.flush.bytes', 'By', 'Bytes of one group of records.'),
  syncDuration: histogram('warp.log.sync.duration', 'ms', 'Putting what was flushed on stable storage.'),
  checkpoint: span('warp.log.checkpoint', 'Saving the index of the log, for a fast opening.', 'outcome'),
  foldDuration: histogram('warp.cache.fold.duration', 'ms', 'Working out a value that was read and not in memory.'),
  longRead: span('warp.read.long', 'A read of a key whose history takes more than one step to fold.', 'outcome'),
  compaction: span('warp.compaction', 'One run of compaction.', 'outcome'),
  compactedKeys: counter('warp.compaction.keys', '{key}', 'Keys of which compaction folded something away.'),
  compactedOperations: counter('warp.compaction.operations', '{operation}', 'Operations that compaction folded away.'),
  compactedBytes: counter('warp.compaction.bytes', 'By', 'Bytes of the log that compaction gave back.'),
  sentFrames: counter('warp.replication.sent.frames', '{frame}', 'Frames handed to a transport.', 'transport'),
  sentBytes: counter('warp.replication.sent.bytes', 'By', 'Bytes of these frames.', 'transport'),
  receivedFrames: counter(
    'warp.replication.received.frames',
    '{frame}',
    'Frames that a transport handed over.',
    'transport',
  ),
  receivedBytes: counter('warp.replication.received.bytes', 'By', 'Bytes of these frames.', 'transport'),
  appliedOperations: counter(
    'warp.replication.operations.applied',
    '{operation}',
    'Operations of other replicas that became part of their keys.',
  ),
  inboxFrames: histogram('warp.replication.inbox', '{frame}', 'Frames that waited when a slice of them was begun.'),
  waitingOperations: histogram(
    'warp.replication.waiting',
    '{operation}',
    'Operations that waited for their causes when a slice of frames had been worked off.',
  ),
  members: histogram(
    'warp.replication.members',
    '{replica}',
    'Replicas that take part, this one counted, at each round of digests. From 1,024 on there is an event, beyond 4,096 nothing is compacted.',
  ),
  snapshotFetch: span('warp.replication.snapshot', "Taking over a peer's state.", 'outcome'),
  snapshotBytes: counter('warp.replication.snapshot.bytes', 'By', 'Bytes of the state taken over from peers.'),
  load: span('warp.load', 'Bringing the value of a key from where its truth is.', 'outcome'),
  storeRequest: span('warp.store.request', 'One request to a primary store, for many keys perhaps.', 'outcome'),
  storeFill: span(
    'warp.store.fill',
    'Taking a row of a store in, with the operations that it lacks on top.',
    'outcome',
  ),
  projectionRebuild: span('warp.projection.rebuild', 'A projection reading the log from its beginning.', 'outcome'),
}

function counter(name: string, unit: string, help: string, ...labels: readonly string[]): Instrument {
  return { name, kind: 'counter', unit, help, labels }
}

function histogram(name: string, unit: string, help: string, ...labels: readonly string[]): Instrument {
  return { name, kind: 'histogram', unit, help, labels }
}

function span(name: string, help: string, ...labels: readonly string[]): Instrument {
  return { name, kind: 'span', unit: 'ms', help, labels }
}
