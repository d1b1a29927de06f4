/** What the checks of an ordered log share: links with what they are told, and ways to wait without sleeping. */
import { isWarpError, type WarpErrorCode } from '../../../crdt/warp-error.ts'
import type { AppendOutcome, Bookmark, OrderedLog, OrderedLogLink } from '../../../src/ports/ordered-log.ts'
import { assert, assertEqual } from '../assert.ts'
import { Follower, type FollowerOptions } from './follower.ts'

export interface OrderedLogSubject {
  /** Holds no records and no snapshots. The suite opens it several times, as several replicas do. */
  readonly log: OrderedLog
  /** Lets a little time pass: what is under way arrives. Default: 5 ms. */
  readonly settle?: () => Promise<void>
  /** What an operator may do to the log behind everybody's back. Checks of what is left out are not made. */
  readonly operator?: OrderedLogOperator
  /** Called after each test, with everything closed. */
  readonly dispose?: () => void | Promise<void>
}

export interface OrderedLogOperator {
  /** Another log in the same place: empty, without snapshots. */
  readonly recreate?: () => void | Promise<void>
  /** Removes all records of a partition, whether a snapshot holds them or not. */
  readonly purge?: (partition: number) => void | Promise<void>
  /** The partition as it was when `offset` was the place of its last record. */
  readonly rollBack?: (partition: number, offset: number) => void | Promise<void>
  /** Cuts the connections of all links, and lets them be made again. */
  readonly disconnect?: () => void | Promise<void>
  readonly reconnect?: () => void | Promise<void>
}

export type Check = (place: Place) => Promise<void>

/** One link, as a replica has it. */
export interface Member {
  readonly link: OrderedLogLink
  /** What it was told of its connection. */
  readonly connections: readonly boolean[]
}

/** Times that time is let pass before a wait counts as in vain; and how often before nothing is known to come. */
const SETTLINGS_MAX = 800
const SETTLINGS_OF_REST = 12
const APPENDS_MAX = 50

const ENCODER = new TextEncoder()

export class Place {
  readonly subject: OrderedLogSubject
  readonly #members: Member[] = []
  readonly #followers: Follower[] = []

  constructor(subject: OrderedLogSubject) {
    this.subject = subject
  }

  async open(): Promise<Member> {
    const connections: boolean[] = []
    const receiver = { connected: (isConnected: boolean): void => void connections.push(isConnected) }
    const link = await this.answer(this.subject.log.open(receiver), 'opening the log')
    const member = { link, connections }
    this.#members.push(member)
    return member
  }

  async three(): Promise<[Member, Member, Member]> {
    return [await this.open(), await this.open(), await this.open()]
  }

  follow({ link }: Member, after?: Bookmark, options: FollowerOptions = {}): Follower {
    const follower = new Follower(link, after, options)
    this.#followers.push(follower)
    return follower
  }

  /** Appends until the record certainly has a place: answers may be lost. */
  async append({ link }: Member, id: string, bytes: Uint8Array = bytesOf(id), partition = 0): Promise<Bookmark> {
    for (let i = 0; i < APPENDS_MAX; i++) {
      const outcome = await this.answer(link.append(partition, id, bytes), `appending ${id}`)
      if (outcome.kind === 'appended') return { offset: outcome.offset, id }
      assert(outcome.kind === 'unknown', `${id} is appended, and was refused: ${errorOf(outcome)}`)
    }
    throw new Error(`${id} has not been appended in ${APPENDS_MAX} attempts`)
  }

  /** All at once, and again those of which nobody knows. */
  async appendAtOnce({ link }: Member, ids: readonly string[]): Promise<void> {
    let left = ids
    for (let i = 0; i < APPENDS_MAX && left.length > 0; i++) {
      const outcomes = await this.answer(Promise.all(left.map((id) => link.append(0, id, bytesOf(id)))), 'many appends')
      const refused = outcomes.find(({ kind }) => kind === 'refused')
      assert(refused === undefined, `many appends are taken, and one is not: ${refused && errorOf(refused)}`)
      left = left.filter((_, index) => outcomes[index]?.kind === 'unknown')
    }
    assertEqual(left.length, 0, `records that have not been appended in ${APPENDS_MAX} attempts`)
  }

  /** One after the other. */
  async appendAll(member: Member, ids: readonly string[], partition = 0): Promise<Bookmark[]> {
    const bookmarks: Bookmark[] = []
    for (const id of ids) bookmarks.push(await this.append(member, id, bytesOf(id), partition))
    return bookmarks
  }

  async barrier({ link }: Member, partition = 0): Promise<number> {
    for (let i = 0; i < APPENDS_MAX; i++) {
      const answer = await this.settled(link.barrier(partition), 'a barrier')
      if (answer.kind === 'resolved') return answer.value
      if (!isWarpError(answer.error, 'WARP_E_TRANSPORT')) throw answer.error
    }
    throw new Error(`no barrier was answered in ${APPENDS_MAX} attempts`)
  }

  /** A barrier is refused as of a log that is not what it was. Answers may be lost before. */
  async refusesBarrier(member: Member, what: string): Promise<void> {
    const answer = await this.settled(this.barrier(member), what)
    assert(answer.kind === 'rejected', `${what} is refused`)
    const { error } = answer
    assert(isWarpError(error, 'WARP_E_ORDER_BROKEN'), `${what}: WARP_E_ORDER_BROKEN, and not ${String(error)}`)
  }

  /** What has become of a promise, while time passes. */
  async settled<Value>(promise: Promise<Value>, what: string): Promise<Settled<Value>> {
    let settled: Settled<Value> | undefined
    const done = promise.then(
      (value) => void (settled = { kind: 'resolved', value }),
      (thrown: unknown) => {
        assert(thrown instanceof Error, `${what} rejects with an Error, not with another value`)
        settled = { kind: 'rejected', error: thrown }
      },
    )
    for (let i = 0; i < SETTLINGS_MAX && settled === undefined; i++) await Promise.race([done, this.settle()])
    await (settled === undefined ? undefined : done)
    assert(settled !== undefined, `${what} is answered at some time`)
    return settled
  }

  async answer<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    const settled = await this.settled(promise, what)
    if (settled.kind === 'rejected') throw settled.error
    return settled.value
  }

  /** The promise rejects with the code. */
  async rejects(promise: Promise<unknown>, code: WarpErrorCode, what: string): Promise<void> {
    const settled = await this.settled(promise, what)
    assert(settled.kind === 'rejected', `${what} rejects with ${code}, and was resolved`)
    assert(isWarpError(settled.error, code), `${what} rejects with ${code}, and not with ${String(settled.error)}`)
  }

  async refuses(outcome: Promise<AppendOutcome>, code: WarpErrorCode, what: string): Promise<void> {
    const answer = await this.answer(outcome, what)
    assertEqual(answer.kind, 'refused', `the outcome of ${what}`)
    assert(answer.kind === 'refused' && isWarpError(answer.error, code), `${what}: ${code}, and not ${errorOf(answer)}`)
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    for (let i = 0; i < SETTLINGS_MAX && !isSo(); i++) await this.settle()
    assert(isSo(), what)
  }

  /** Time in which whatever should not come would come. */
  async rest(): Promise<void> {
    for (let i = 0; i < SETTLINGS_OF_REST; i++) await this.settle()
  }

  async settle(): Promise<void> {
    await (this.subject.settle ?? aMoment)()
  }

  async close(): Promise<void> {
    for (const { link } of this.#members) await this.answer(link.close(), 'closing a link')
    await this.subject.dispose?.()
  }

  assertFine(): void {
    for (const follower of this.#followers) follower.assertFine()
  }
}

export type Settled<Value> =
  { readonly kind: 'resolved'; readonly value: Value } | { readonly kind: 'rejected'; readonly error: Error }

export function bytesOf(text: string): Uint8Array {
  return ENCODER.encode(text)
}

/** `length` bytes that show truncation and mixing up. */
export function pattern(length: number, mark: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) + mark) & 0xff
  return bytes
}

/** `prefix-0`, `prefix-1` … */
export function idsOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

function errorOf(outcome: AppendOutcome): string {
  return outcome.kind === 'appended' ? 'no error' : String(outcome.error)
}

function aMoment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}
