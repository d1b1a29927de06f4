/**
 * Who is who: each replica says its name, its zone and what it can read, in a hello. One is sent to
 * whoever comes up and to whoever is heard for the first time in a session; who has not said its
 * own is asked for it with each round, ever more seldom. Relays have to know of each other who works:
 * one that has said that it carries nothing is asked with each round until it does.
 */
import type { ReplicationSettings } from './options.ts'
import type { Peer } from './peers.ts'
import type { Post } from './reception/post.ts'
import type { Hello } from './wire/frames.ts'

/** Rounds between two requests for a hello, at most. */
const PATIENCE_MAX = 64

/** What a hello says of its sender. */
const SAID: readonly (keyof Hello)[] = [
  ...(['name', 'zone', 'isPersistent', 'highest', 'written'] as const),
  ...(['readsChanges', 'readsConfirmations', 'readsLeases', 'answersLoads', 'tellsCopies', 'readsMessages'] as const),
]

export class Introductions {
  readonly #post: Post
  readonly #settings: ReplicationSettings

  constructor(post: Post, settings: ReplicationSettings) {
    this.#post = post
    this.#settings = settings
  }

  /** The peer is up, and may not know this replica. */
  met(peer: Peer, nowMs: number): void {
    this.#say(peer, true, nowMs)
  }

  /** What this replica says has changed. */
  changed(peer: Peer): void {
    this.#post.send(peer, this.#post.hello(false))
  }

  /** Returns whether something of it is new. */
  hello(peer: Peer, hello: Hello, nowMs: number): boolean {
    const before = peer.hello
    peer.hello = hello
    // A hello that is lost is asked for again, so answering too seldom does no harm; too often
    // would.
    if (hello.asks && nowMs - peer.saidHelloMs >= this.#settings.digestIntervalMs / 4) this.#say(peer, false, nowMs)
    return SAID.some((what) => before?.[what] !== hello[what])
  }

  /** With each round. */
  beat(peers: Iterable<Peer>, nowMs: number): void {
    for (const peer of peers) {
      if (!peer.isUp || !this.#awaits(peer)) continue
      const rounds = peer.hello === undefined ? Math.min(PATIENCE_MAX, 2 ** peer.helloCount) : 1
      const patienceMs = this.#settings.digestIntervalMs * rounds
      if (nowMs - peer.saidHelloMs >= patienceMs) this.#say(peer, true, nowMs)
    }
  }

  #say(peer: Peer, asks: boolean, nowMs: number): void {
    peer.saidHelloMs = nowMs
    peer.helloCount++
    this.#post.send(peer, this.#post.hello(asks && this.#awaits(peer)))
  }

  /** Whether a hello of it has yet to come. */
  #awaits({ hello }: Peer): boolean {
    return hello === undefined || (hello.carriesNothing && this.#post.isRelay)
  }
}
