/**
 * Snapshots of partitions, in a stream of their own: the pieces of each under a subject of its own,
 * then a manifest. With its manifest a snapshot is complete. Of several complete ones the snapshot with
 * the greatest offset counts, so no compare-and-set is needed. Each save removes the other snapshots.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { WarpError } from '../../../src/index.ts'
import type { Bookmark, OrderedSnapshot } from '../../../src/ports/ordered-log.ts'
import { type BrokerClock, randomHex } from '../../broker/platform-clock.ts'
import { request } from '../requests.ts'
import type { Appender } from '../../broker/appender.ts'
import type { NatsEntry } from './sending.ts'

export interface SnapshotsOptions {
  readonly manager: JetStreamManager
  /** Its own: a snapshot is not to wait behind records, nor they behind it. */
  readonly appender: Appender<NatsEntry>
  readonly clock: BrokerClock
  /** The stream that holds them. */
  readonly stream: string
  /**
   * The beginning of the subjects for each partition, with its identity: of a log that was there before,
   * nobody wants any.
   */
  readonly prefixes: readonly string[]
  /** The largest message. */
  readonly messageBytesMax: () => number
}

interface Manifest {
  readonly bookmark: Bookmark
  /** Names the subject with the pieces. */
  readonly save: string
  readonly messages: number
  readonly bytes: number
}

/** What is under way for so long, by the server's clock, was given up. */
const GIVEN_UP_MS = 3_600_000
const LOOKS_MAX = 5
/** Pieces under way at a time: they come in their order, or the snapshot fails. */
const UNDER_WAY_MAX = 8

export class Snapshots {
  readonly #options: SnapshotsOptions

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  async save(partition: number, { bookmark: { offset, id }, pieces }: OrderedSnapshot): Promise<void> {
    const { clock } = this.#options
    // Alone: a whole record is a bookmark, too.
    const bookmark = { offset, id }
    const save = `${bookmark.offset}-${randomHex(clock, 8)}`
    try {
      const written = await this.#write(partition, save, pieces)
      const manifest: Manifest = { bookmark, save, ...written }
      const bytes = new TextEncoder().encode(JSON.stringify(manifest))
      await this.#append(this.#manifestSubject(partition, bookmark.offset), bytes)
    } catch (error) {
      await this.#purge(this.#piecesSubject(partition, save)).catch(() => undefined)
      throw error
    }
    // What cannot be removed now is removed by the next one.
    await this.#removeOthers(partition).catch(() => undefined)
  }

  async load(partition: number): Promise<OrderedSnapshot | undefined> {
    return request('loading a snapshot', async () => {
      const manifest = await this.#manifest(partition)
      if (manifest === undefined) return undefined
      return { bookmark: manifest.bookmark, pieces: this.#read(partition, manifest) }
    })
  }

  async bookmark(partition: number): Promise<Bookmark | undefined> {
    return (await this.#manifest(partition))?.bookmark
  }

  async #write(
    partition: number,
    save: string,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<Pick<Manifest, 'messages' | 'bytes'>> {
    const subject = this.#piecesSubject(partition, save)
    const most = this.#options.messageBytesMax()
    let [messages, total] = [0, 0]
    const underWay: Promise<void>[] = []
    for await (const piece of pieces) {
      for (let at = 0; at === 0 || at < piece.length; at += most) {
        // A copy: the piece is the caller's again before it is sent.
        const part = new Uint8Array(piece.subarray(at, at + most))
        const appended = this.#append(subject, part)
        // Whoever fails first is waited for; of the others nobody asks then.
        appended.catch(() => undefined)
        underWay.push(appended)
        if (underWay.length >= UNDER_WAY_MAX) await underWay.shift()
        messages++
        total += part.length
      }
    }
    await Promise.all(underWay)
    return { messages, bytes: total }
  }

  async #append(subject: string, bytes: Uint8Array): Promise<void> {
    const { appender, stream } = this.#options
    const outcome = await appender.append({ stream, subject, headers: headers(), bytes })
    if (outcome.kind !== 'appended') throw outcome.error
  }

  async *#read(partition: number, { save, messages, bytes }: Manifest): AsyncGenerator<Uint8Array> {
    const { manager, stream } = this.#options
    const subject = this.#piecesSubject(partition, save)
    let [seq, total] = [1, 0]
    for (let read = 0; read < messages; read++) {
      const message = await request('reading a snapshot', () => nextBySubject(manager, stream, subject, seq))
      if (message === null) throw gone(stream, save)
      seq = message.seq + 1
      total += message.data.length
      yield message.data
    }
    if (total !== bytes) throw gone(stream, save)
  }

  /** Of the one that reaches furthest. */
  async #manifest(partition: number): Promise<Manifest | undefined> {
    const { manager, stream } = this.#options
    for (let look = 0; look < LOOKS_MAX; look++) {
      const offset = furthest(await this.#subjects(partition), this.#manifestSubject(partition, ''))
      if (offset === undefined) return undefined
      const subject = this.#manifestSubject(partition, offset)
      const message = await manager.streams.getMessage(stream, { last_by_subj: subject })
      if (message !== null) return parsed(message, stream)
      // Another replica has just replaced it by a further one.
    }
    throw new WarpError('WARP_E_TRANSPORT', `stream '${stream}' names a snapshot and does not show it; try again`)
  }

  async #removeOthers(partition: number): Promise<void> {
    const kept = await this.#manifest(partition)
    if (kept === undefined) return
    const manifests = this.#manifestSubject(partition, '')
    const pieces = this.#piecesSubject(partition, '')
    const subjects = await this.#subjects(partition)
    for (const subject of subjects)
      if (subject.startsWith(manifests) && Number(subject.slice(manifests.length)) < kept.bookmark.offset)
        await this.#purge(subject)
    for (const subject of subjects) {
      const save = subject.slice(pieces.length)
      if (!subject.startsWith(pieces) || save === kept.save) continue
      const isBehind = Number(save.split('-')[0]) < kept.bookmark.offset
      if (isBehind || (await this.#isGivenUp(partition, subject, kept))) await this.#purge(subject)
    }
  }

  async #isGivenUp(partition: number, subject: string, kept: Manifest): Promise<boolean> {
    const { manager, stream } = this.#options
    const [last, latest] = await Promise.all([
      manager.streams.getMessage(stream, { last_by_subj: subject }),
      manager.streams.getMessage(stream, { last_by_subj: this.#manifestSubject(partition, kept.bookmark.offset) }),
    ])
    return last !== null && latest !== null && latest.time.getTime() - last.time.getTime() > GIVEN_UP_MS
  }

  async #subjects(partition: number): Promise<string[]> {
    const { manager, stream, prefixes } = this.#options
    const info = await manager.streams.info(stream, { subjects_filter: `${prefixes[partition]}.>` })
    return Object.keys(info.state.subjects ?? {})
  }

  async #purge(filter: string): Promise<void> {
    await this.#options.manager.streams.purge(this.#options.stream, { filter })
  }

  #manifestSubject(partition: number, offset: number | ''): string {
    return `${this.#options.prefixes[partition]}.manifests.${offset}`
  }

  #piecesSubject(partition: number, save: string): string {
    return `${this.#options.prefixes[partition]}.pieces.${save}`
  }
}

async function nextBySubject(
  manager: JetStreamManager,
  stream: string,
  subject: string,
  seq: number,
): Promise<StoredMsg | null> {
  // The server takes both; the client's type names one or the other.
  return manager.streams.getMessage(stream, { seq, next_by_subj: subject } as unknown as { seq: number })
}

function furthest(subjects: readonly string[], beginning: string): number | undefined {
  const offsets = subjects.filter((one) => one.startsWith(beginning)).map((one) => Number(one.slice(beginning.length)))
  return offsets.length === 0 ? undefined : Math.max(...offsets)
}

function parsed(message: StoredMsg, stream: string): Manifest {
  const manifest = message.json<Partial<Manifest>>()
  const { bookmark, save, messages, bytes } = manifest
  if (typeof save === 'string' && Number.isSafeInteger(bookmark?.offset) && typeof bookmark?.id === 'string')
    if (Number.isSafeInteger(messages) && Number.isSafeInteger(bytes)) return manifest as Manifest
  throw new WarpError(
    'WARP_E_PROTOCOL',
    `stream '${stream}' holds a manifest that is none, at ${message.seq}; remove it`,
  )
}

function gone(stream: string, save: string): WarpError {
  return new WarpError(
    'WARP_E_TRANSPORT',
    `snapshot ${save} in stream '${stream}' is not whole any more; load again: a newer one has replaced it`,
  )
}
