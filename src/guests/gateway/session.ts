/**
 * One guest at its gateway: lets it in, takes its writes in their order, and sends it the keys that it
 * has asked for as they change. What waits to be sent is a set of keys, and no queue of operations: a
 * slow guest is sent the newest state of each, and costs as much memory as it has keys that changed.
 *
 * A guest is told of nothing that this process could still lose: what is sent has been handed to the
 * operating system before, and a write is answered behind that.
 */
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Timer } from '../../ports/env.ts'
import {
  LINK_DONE,
  LINK_GOING_AWAY,
  LINK_LIMIT,
  LINK_MALFORMED,
  LINK_REFUSED,
  LINK_SILENT,
  type GuestLink,
  type GuestLinkReceiver,
  type LinkEnd,
} from '../../ports/guest-link/guest-link.ts'
import { GUEST_WINDOW } from '../../limits.ts'
import {
  decodeGuestFrame,
  encodeGatewayFrame,
  type Answer,
  type GatewayFrame,
  type GuestFrame,
  type Hello,
  type KeyState,
  type Push,
  type PushedOperation,
} from '../frames.ts'
import type { GuestDesk } from './guest-desk.ts'
import type { GatewaySettings } from './options.ts'
import { Reach } from './reach.ts'

/** A frame of states is about so large, unless one state is larger. */
const STATES_BYTES = 64 * 1024
const STATES_MAX = 512
/** Slots of the key table that are looked at in a step. */
const WALK_SLOTS = 2000
/** How often it is looked whether what a guest has seen elsewhere is here. */
const CATCH_UP_LOOK_MS = 50
const SECOND_MS = 1000
/** Signs of life that may be missing. */
const SILENT_BEATS = 2.5

export interface SessionOptions<Request> {
  readonly desk: GuestDesk
  readonly link: GuestLink
  readonly request: Request
  readonly settings: GatewaySettings<Request>
  /** Until then nobody is let in. */
  readonly opened: Promise<void>
  /** Its patterns are known, or others than before. */
  readonly onReach: (session: GatewaySession<Request>, before: Reach | undefined, now: Reach) => void
  readonly onEnd: (session: GatewaySession<Request>) => void
}

export class GatewaySession<Request> implements GuestLinkReceiver {
  readonly #options: SessionOptions<Request>
  readonly #dirty = new Set<string>()
  #guest: ReplicaId | undefined
  #hello: Hello | undefined
  #reach: Reach | undefined
  #isEnded = false
  #isPumping = false
  /** Something has changed since the pump was begun. */
  #isAsked = false
  #isFull = false
  /** All keys have been looked at since the guest came. */
  #isWalked = false
  #walksCount = 0
  /** What the guest has not been told of its keys lies in `#dirty`, or it has changed since. */
  #toldOf: VersionVector | undefined
  /** Whether what the guest has sent elsewhere may be sent again. */
  #isFree = true
  #pushes: Promise<void> = Promise.resolve()
  #pushedCount = 0
  /** Writes that may be taken now, and when that was reckoned. */
  #tokens: number
  #tokensAt: number
  #heardAt: number
  readonly #patience: Timer

  constructor(options: SessionOptions<Request>) {
    const { desk, settings } = options
    const { env } = desk.store
    this.#options = options
    this.#tokens = settings.limits.writesPerSecond
    this.#tokensAt = this.#heardAt = env.monotonic()
    this.#patience = env.schedule(settings.limits.helloTimeoutMs, () => {
      if (this.#reach === undefined) this.end({ code: LINK_SILENT, reason: 'the guest has not said who it is' })
    })
    options.link.open(this)
  }

  get guest(): ReplicaId | undefined {
    return this.#guest
  }

  get reach(): Reach | undefined {
    return this.#reach
  }

  receive(bytes: Uint8Array): void {
    if (this.#isEnded) return
    this.#heardAt = this.#options.desk.store.env.monotonic()
    try {
      this.#take(decodeGuestFrame(bytes))
    } catch (error) {
      this.#refuse(LINK_MALFORMED, asError(error))
    }
  }

  drained(): void {
    this.#isFull = false
    this.pump()
  }

  closed(end: LinkEnd): void {
    this.#ended(end)
  }

  /** A key has changed. */
  note(key: string): void {
    if (this.#reach?.isSent(key) !== true) return
    this.#dirty.add(key)
    this.pump()
  }

  /** A write of this guest has come by another gateway. */
  named(sequence: number): void {
    if (this.#reach === undefined) return
    this.#answer([this.#answerOf(sequence)])
  }

  /** The state of the engine has been replaced: what the guest has is compared with it anew. */
  reset(): void {
    if (this.#reach === undefined) return
    this.#sendWelcome(true)
    this.#background(this.#walk(new VersionVector()))
  }

  /** Looks whether the guest has been silent for too long, or its permission is over. */
  look(): void {
    const { env } = this.#options.desk.store
    const { heartbeatMs } = this.#options.settings.limits
    if (env.monotonic() - this.#heardAt > heartbeatMs * SILENT_BEATS)
      this.end({ code: LINK_SILENT, reason: 'the guest has been silent for too long' })
    else if (this.#reach !== undefined && this.#reach.untilMs <= env.now())
      this.#refuse(LINK_REFUSED, new WarpError('WARP_E_AUTH', 'the permission of this guest is over'))
  }

  /** Answers what has been taken, and ends. */
  async drain(): Promise<void> {
    await this.#pushes.catch(() => undefined)
    this.end({ code: LINK_GOING_AWAY, reason: 'the gateway goes away; come again' })
  }

  end(end: LinkEnd): void {
    this.#options.link.close(end)
    this.#ended(end)
  }

  #ended({ code, reason }: LinkEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#patience.cancel()
    this.#dirty.clear()
    const { settings, onEnd } = this.#options
    if (this.#guest !== undefined && this.#reach !== undefined)
      settings.observe({ kind: 'guest:disconnected', guest: this.#guest, code, reason })
    else if (code !== LINK_DONE) settings.observe({ kind: 'guest:refused', code, reason })
    onEnd(this)
  }

  #refuse(code: number, error: Error): void {
    const name = isWarpError(error) ? error.code : 'WARP_E_PROTOCOL'
    this.#send({ kind: 'refused', code: name, message: error.message })
    this.end({ code, reason: error.message.slice(0, 100) })
  }

  #take(frame: GuestFrame): void {
    switch (frame.kind) {
      case 'hello':
        if (this.#hello !== undefined) throw new WarpError('WARP_E_PROTOCOL', 'a second hello')
        this.#hello = frame
        this.#guest = frame.guest
        this.#background(this.#welcome(frame))
        return
      case 'push':
        this.#takePush(frame)
        return
      case 'auth':
        this.#background(this.#authorise(frame.token).then((reach) => this.#renew(reach)))
        return
      case 'ping':
        this.#pong()
        return
    }
  }

  #background(work: Promise<void>): void {
    work.catch((thrown: unknown) => {
      const error = asError(thrown)
      if (this.#isEnded) return
      if (isWarpError(error, 'WARP_E_AUTH')) this.#refuse(LINK_REFUSED, error)
      else if (isWarpError(error, 'WARP_E_LIMIT') || isWarpError(error, 'WARP_E_PATTERN'))
        this.#refuse(LINK_LIMIT, error)
      else {
        this.#options.settings.observe({ kind: 'gateway:failed', error })
        this.end({ code: LINK_GOING_AWAY, reason: 'the gateway has failed; come again' })
      }
    })
  }

  /** Throws `WARP_E_AUTH` for who is not let in, and what `authorize` throws. */
  async #authorise(token: string): Promise<Reach> {
    const { settings, request } = this.#options
    const permission = await settings.authorize(token, request)
    if (permission === false) throw new WarpError('WARP_E_AUTH', 'the gateway does not let this guest in')
    const reach = new Reach(this.#hello?.patterns ?? [], permission)
    if (this.#reach === undefined || this.#reach.principal === reach.principal) return reach
    throw new WarpError('WARP_E_AUTH', 'another token of the same connection has to be of the same principal')
  }

  async #welcome(hello: Hello): Promise<void> {
    const { desk, settings, opened, onReach } = this.#options
    await opened
    const reach = await this.#authorise(hello.token)
    if (this.#isEnded) return
    const seen = VersionVector.from(hello.seen)
    const isHere = await this.#caughtUp(seen)
    if (this.#isEnded) return
    const isReset = seen.size === 0 || !isHere || !desk.knowsFloor(seen)
    const { pinned } = hello
    // Of a replica that nobody here has ever heard of, nothing more will come.
    this.#isFree = pinned === '' || desk.isOver(pinned) || (!isHere && desk.applied.get(pinned) === 0)
    this.#reach = reach
    onReach(this, undefined, reach)
    this.#sendWelcome(isReset)
    settings.observe({ kind: 'guest:connected', guest: hello.guest, principal: reach.principal, isReset })
    await this.#walk(isReset ? new VersionVector() : seen)
  }

  #sendWelcome(isReset: boolean): void {
    const { desk, settings } = this.#options
    const { guest } = this.#hello as Hello
    this.#send({
      ...{ kind: 'welcome', gateway: desk.replica, last: desk.known.lastOf(guest), isReset, isFree: this.#isFree },
      ...{ nowMs: desk.store.env.now(), heartbeatMs: settings.limits.heartbeatMs },
    })
  }

  /** Waits until what the guest has seen elsewhere is here. `false`: it has not come in time. */
  async #caughtUp(seen: VersionVector): Promise<boolean> {
    const { desk, settings } = this.#options
    const { env, table } = desk.store
    const until = env.monotonic() + settings.limits.catchUpMs
    for (;;) {
      if (desk.applied.dominates(table.ended.normalised(seen))) return true
      if (this.#isEnded || env.monotonic() >= until) return false
      await new Promise<void>((resolve) => void env.schedule(CATCH_UP_LOOK_MS, resolve))
    }
  }

  /** Other patterns than before, perhaps: what is visible now is all that the guest holds. */
  #renew(reach: Reach): void {
    const before = this.#reach
    if (this.#isEnded || before === undefined) return
    this.#reach = reach
    this.#options.onReach(this, before, reach)
    this.reset()
  }

  /** Notes all keys of which the guest has not seen everything. */
  async #walk(seen: VersionVector): Promise<void> {
    const { keys, env } = this.#options.desk.store
    const walk = ++this.#walksCount
    this.#isWalked = false
    this.#toldOf = undefined
    for (let from = 0; from < keys.slotsUsed && !this.#isEnded && walk === this.#walksCount; from += WALK_SLOTS) {
      const end = Math.min(keys.slotsUsed, from + WALK_SLOTS)
      for (let slot = from; slot < end; slot++) this.#lookAt(slot, seen)
      if (end < keys.slotsUsed) await env.yield()
    }
    if (walk !== this.#walksCount) return
    this.#isWalked = true
    this.pump()
  }

  #lookAt(slot: Slot, seen: VersionVector): void {
    const { desk } = this.#options
    const { keys } = desk.store
    const key = keys.keys[slot]
    if (key === undefined || this.#reach?.isSent(key) !== true || !desk.isOffered(key, slot)) return
    if (seen.size === 0 || !seen.dominates(keys.vector(slot))) this.#dirty.add(key)
  }

  #takePush(push: Push): void {
    const { reach } = this
    if (reach === undefined) throw new WarpError('WARP_E_PROTOCOL', 'writes before the welcome')
    this.#pushedCount += push.operations.length
    if (this.#pushedCount > GUEST_WINDOW)
      throw new WarpError('WARP_E_PROTOCOL', `more than ${GUEST_WINDOW} writes without an answer`)
    this.#pushes = this.#pushes.then(() => this.#push(push))
    this.#background(this.#pushes)
  }

  async #push(push: Push): Promise<void> {
    await this.#rate(push.operations.length)
    if (this.#isEnded) return
    const { desk } = this.#options
    const seen = VersionVector.from(push.seen)
    const answers = push.operations.map((operation) => this.#accept(operation, seen))
    await desk.logged()
    this.#pushedCount -= push.operations.length
    this.#answer(answers)
  }

  #accept(operation: PushedOperation, seen: VersionVector): Answer {
    const { desk, settings } = this.#options
    const guest = this.#guest as ReplicaId
    const reach = this.#reach as Reach
    const { sequence, key } = operation
    if (sequence <= desk.known.lastOf(guest)) return this.#answerOf(sequence)
    try {
      if (!reach.mayWrite(key))
        throw new WarpError('WARP_E_AUTH', `'${key}' may not be written by '${reach.principal}'`, { details: { key } })
      desk.accept({ guest, principal: reach.principal, operation, seen })
      return this.#answerOf(sequence)
    } catch (error) {
      // The disk, not the write: the guest keeps it, and comes again.
      if (!isWarpError(error) || isAccident(error)) throw error
      desk.known.noteRefused(guest, sequence)
      settings.observe({ kind: 'write:rejected', guest, key, error })
      return { sequence, refusal: { code: error.code, message: error.message } }
    }
  }

  #answerOf(sequence: number): Answer {
    const name = this.#options.desk.known.nameOf(this.#guest as ReplicaId, sequence)
    if (name === undefined) return { sequence }
    const isUnsent = this.#reach?.isSent(name.key) !== true
    return { sequence, dot: name.dot, isPrefix: name.hasSeenAll, isUnsent }
  }

  #answer(answers: readonly Answer[]): void {
    this.#send({ kind: 'answers', answers })
    this.pump()
  }

  /** Waits until so many writes may be taken. */
  async #rate(count: number): Promise<void> {
    const { env } = this.#options.desk.store
    const { writesPerSecond } = this.#options.settings.limits
    const nowMs = env.monotonic()
    const earned = ((nowMs - this.#tokensAt) / SECOND_MS) * writesPerSecond
    this.#tokens = Math.min(writesPerSecond, this.#tokens + earned) - count
    this.#tokensAt = nowMs
    if (this.#tokens >= 0) return
    const waitMs = (-this.#tokens / writesPerSecond) * SECOND_MS
    await new Promise<void>((resolve) => void env.schedule(waitMs, resolve))
  }

  #pong(): void {
    const { desk } = this.#options
    this.#send({ kind: 'pong', nowMs: desk.store.env.now() })
    const pinned = this.#hello?.pinned
    if (!this.#isFree && pinned !== undefined && pinned !== '' && desk.isOver(pinned)) {
      this.#isFree = true
      this.#sendWelcome(false)
    }
    // What others write raises what the guest has seen, though nothing of it is the guest's.
    this.#toldOf = undefined
    this.pump()
  }

  /** Sends what has changed, as long as the link takes it. */
  pump(): void {
    this.#isAsked = true
    if (this.#isPumping || this.#isEnded || this.#isFull || this.#reach === undefined) return
    if (!this.#isDue) return
    this.#isPumping = true
    this.#isAsked = false
    this.#background(
      this.#pump().finally(() => {
        this.#isPumping = false
        if (this.#isAsked) this.pump()
      }),
    )
  }

  /** Whether there is something to send. */
  get #isDue(): boolean {
    return this.#dirty.size > 0 || (this.#toldOf === undefined && this.#isWalked)
  }

  async #pump(): Promise<void> {
    const { desk } = this.#options
    // What is changed in this turn goes together.
    await new Promise<void>((resolve) => desk.store.env.defer(resolve))
    while (!this.#isEnded && !this.#isFull && this.#isDue) {
      // What is applied by now, and concerns the guest, is among the keys that are noted by now.
      const walk = this.#isWalked ? this.#walksCount : undefined
      const applied = desk.applied.copy()
      const hasAll = await this.#sendStates(this.#dirty.size)
      if (!hasAll || walk !== this.#walksCount) continue
      await desk.sendable()
      this.#toldOf = applied
      this.#send({ kind: 'watermark', seen: applied.sorted() })
    }
  }

  /** Sends of the keys that have changed so many, the oldest first. `false` if the link is full before. */
  async #sendStates(count: number): Promise<boolean> {
    const { desk } = this.#options
    for (let left = count; left > 0 && !this.#isEnded;) {
      if (this.#isFull) return false
      const states: KeyState[] = []
      for (let bytes = 0; left > 0 && bytes < STATES_BYTES && states.length < STATES_MAX; left--) {
        const state = await this.#nextState()
        if (state === undefined) continue
        bytes += state.state?.length ?? 0
        states.push(state)
      }
      if (states.length === 0) continue
      await desk.sendable()
      this.#send({ kind: 'states', states })
    }
    return !this.#isEnded
  }

  async #nextState(): Promise<KeyState | undefined> {
    const { desk, settings } = this.#options
    const { value: key, done } = this.#dirty.values().next()
    if (done === true) return undefined
    this.#dirty.delete(key)
    try {
      return await desk.encoded(key, this.#guest as ReplicaId)
    } catch (error) {
      settings.observe({ kind: 'key:withheld', key, error: asError(error) })
      return undefined
    }
  }

  #send(frame: GatewayFrame): void {
    if (this.#isEnded) return
    if (!this.#options.link.send(encodeGatewayFrame(frame))) this.#isFull = true
  }
}

/** Whether an error says nothing of the write itself. */
function isAccident({ code }: WarpError): boolean {
  return code.startsWith('WARP_E_STORAGE') || code === 'WARP_E_CLOSED'
}
