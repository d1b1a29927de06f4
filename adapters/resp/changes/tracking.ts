/**
 * CLIENT TRACKING: clients with a cache of their own hear which keys have changed, by whomever, here or at
 * another replica.
 *
 * By default a client hears once of each key that it has read, and then has to read it again. Under BCAST
 * nothing is remembered: it hears of every key with one of its prefixes. A key changes when an operation
 * enters it, so what another replica wrote is told when it is there to be read, and never before.
 */
import { toBinary } from '../protocol/bytes.ts'
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import type { Client } from '../connections/client.ts'
import type { TrackingOptions } from './tracking-options.ts'

/** Keys that are remembered; beyond, the oldest are told of as if they had changed. */
const KEYS_MAX = 1_000_000
const CHANNEL = '__redis__:invalidate'

interface Prefix {
  readonly clients: Set<Client>
  /** What changed since it was told, with who did it last. */
  readonly changed: Map<string, Client | undefined>
}

export class Tracking {
  readonly #clients: ReadonlyMap<number, Client>
  readonly #tracked = new Set<Client>()
  /** By the names of keys as Warp has them. */
  readonly #readers = new Map<string, Set<Client>>()
  readonly #prefixes = new Map<string, Prefix>()
  readonly #keysMax: number

  constructor(clients: ReadonlyMap<number, Client>, keysMax: number = KEYS_MAX) {
    this.#clients = clients
    this.#keysMax = keysMax
  }

  get isOn(): boolean {
    return this.#tracked.size > 0
  }

  get keysCount(): number {
    return this.#readers.size
  }

  get prefixesCount(): number {
    return this.#prefixes.size
  }

  get clientsCount(): number {
    return this.#tracked.size
  }

  /** Prefixes come to those that it has. */
  on(client: Client, options: TrackingOptions): void {
    const before = client.tracking?.prefixes ?? []
    const wanted =
      options.mode === 'broadcast' && before.length + options.prefixes.length === 0 ? [''] : options.prefixes
    client.tracking = { ...options, prefixes: [...before, ...wanted], isSaid: false, isBroken: false }
    this.#tracked.add(client)
    for (const prefix of wanted) {
      const known = this.#prefixes.get(prefix) ?? { clients: new Set<Client>(), changed: new Map<string, Client>() }
      known.clients.add(client)
      this.#prefixes.set(prefix, known)
    }
  }

  off(client: Client): void {
    for (const prefix of client.tracking?.prefixes ?? []) {
      const known = this.#prefixes.get(prefix)
      known?.clients.delete(client)
      if (known?.clients.size === 0) this.#prefixes.delete(prefix)
    }
    client.tracking = undefined
    this.#tracked.delete(client)
  }

  /** The client has read that key, whether it is there or not. */
  read(client: Client, name: string): void {
    const { tracking } = client
    if (tracking === undefined || tracking.mode === 'broadcast') return
    if (tracking.mode === 'opt-in' ? !tracking.isSaid : tracking.mode === 'opt-out' && tracking.isSaid) return
    const readers = this.#readers.get(name)
    if (readers !== undefined) {
      readers.add(client)
      return
    }
    this.#readers.set(name, new Set([client]))
    if (this.#readers.size > this.#keysMax) this.#forgetOldest()
  }

  /** Something has entered a key. */
  changed(name: string, writer: Client | undefined): void {
    if (!this.isOn) return
    this.#tellReaders(name, writer)
    if (this.#prefixes.size === 0) return
    const binary = toBinary(name)
    for (const [prefix, { changed }] of this.#prefixes) if (binary.startsWith(prefix)) changed.set(binary, writer)
  }

  /** Whether something has changed that `tell` would tell. */
  get hasNews(): boolean {
    for (const { changed } of this.#prefixes.values()) if (changed.size > 0) return true
    return false
  }

  /** Tells who tracks prefixes what has changed: once for all that a command did. */
  tell(): void {
    for (const { clients, changed } of this.#prefixes.values()) {
      if (changed.size === 0) continue
      const all = [...changed]
      changed.clear()
      for (const client of clients) {
        const news = client.tracking?.isNoLoop === true ? all.filter(([, writer]) => writer !== client) : all
        if (news.length > 0)
          this.#send(
            client,
            news.map(([key]) => key),
          )
      }
    }
  }

  /** All keys may have gone. */
  flushed(): void {
    this.#readers.clear()
    for (const { changed } of this.#prefixes.values()) changed.clear()
    for (const client of this.#tracked) this.#send(client, undefined)
  }

  /** A command has been answered, so what CLIENT CACHING said is over. */
  answered(client: Client): void {
    if (client.tracking !== undefined) client.tracking.isSaid = false
  }

  #tellReaders(name: string, writer: Client | undefined): void {
    const readers = this.#readers.get(name)
    if (readers === undefined) return
    this.#readers.delete(name)
    const keys = [toBinary(name)]
    for (const client of readers) {
      const { tracking } = client
      if (tracking === undefined || tracking.mode === 'broadcast') continue
      if (!(tracking.isNoLoop && client === writer)) this.#send(client, keys)
    }
  }

  #forgetOldest(): void {
    for (const name of this.#readers.keys()) {
      this.#tellReaders(name, undefined)
      return
    }
  }

  /** `keys` are binary strings; `undefined`: all of them. */
  #send(client: Client, keys: readonly string[] | undefined): void {
    const tracking = client.tracking!
    const { redirect } = tracking
    const target = redirect === 0 ? client : this.#clients.get(redirect)
    if (target === undefined) {
      tracking.isBroken = true
      if (client.outlet.reply.protocol === 3) client.outlet.push((reply) => writeBroken(reply, redirect))
      return
    }
    const isMessage = target.outlet.reply.protocol === 2
    // Who speaks RESP2 can be told where it listens to messages alone.
    if (isMessage && (redirect === 0 || !target.isSubscribed)) return
    target.outlet.push((reply) => writeNews(reply, keys, isMessage))
  }
}

function writeBroken(reply: ReplyWriter, redirect: number): void {
  reply.push(2)
  reply.bulk('tracking-redir-broken')
  reply.integer(redirect)
}

function writeNews(reply: ReplyWriter, keys: readonly string[] | undefined, isMessage: boolean): void {
  reply.push(isMessage ? 3 : 2)
  reply.bulk(isMessage ? 'message' : 'invalidate')
  if (isMessage) reply.bulk(CHANNEL)
  if (keys === undefined) reply.null()
  else reply.bulks(keys)
}
