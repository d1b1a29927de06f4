/** The options of channels: what is declared, and what calls take. Checked once, at the border. */
import { checkOptions, isNumberFrom, isWholeFrom, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { recent } from '../../crdt/recent.ts'
import { shownKind, shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { PatternIndex } from '../keys/pattern-index.ts'
import { intersects } from '../keys/pattern-overlap.ts'
import { compilePattern } from '../keys/pattern.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import { KEPT_BYTES_MAX, KEPT_MESSAGES_MAX, LIFE_MS_MAX, PENDING_BYTES_MAX } from '../limits.ts'
import { aborted } from '../store/write-road/acknowledger.ts'
import { SETTLE_OPTIONS } from '../store/write-road/receipt.ts'
import { isCursor } from '../watch/watch.ts'
import { channelName, keyOf } from './channel-name.ts'
import type { ChannelMap, ChannelOptions, PublishOptions, Replay, SubscribeOptions } from './channel-types.ts'

const CHANNEL_OPTIONS = optionNames<ChannelOptions>({ replay: true })
const REPLAY_OPTIONS = optionNames<Replay>({ count: true, forMs: true })
const SUBSCRIBE_OPTIONS = optionNames<SubscribeOptions>({
  ...{ from: true, replay: true, pendingCountMax: true, pendingBytesMax: true, signal: true },
})

const PENDING_COUNT_MAX = 1024

/** What has been declared of channels. */
export class DeclaredChannels {
  readonly #index = new PatternIndex<Declared>()
  readonly #kept: Declared[] = []

  /** Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`, `WARP_E_LIMIT`. */
  constructor(channels: ChannelMap = {}) {
    if (typeof channels !== 'object' || (channels as unknown) === null || Array.isArray(channels))
      throw refusedOption(
        'openWarp',
        'channels',
        channels,
        "give patterns, such as { 'chat:*': { replay: { count: 100 } } }",
      )
    for (const [pattern, options] of Object.entries(channels)) {
      channelName(pattern)
      const declared = { pattern, ...boundsOf(replayOf(pattern, options)) }
      this.#index.add(pattern, declared)
      if (declared.countMax > 0) this.#kept.push(declared)
    }
  }

  /** The pattern that declares a channel, if one does. */
  patternOf(channel: string): string | undefined {
    return this.#index.find(channel)?.pattern
  }

  isKept(channel: string): boolean {
    return this.keptForMs(channel) > 0
  }

  /** How long messages of a channel are kept, ms; 0: not at all. */
  keptForMs(channel: string): number {
    const declared = this.#index.find(channel)
    return declared === undefined || declared.countMax === 0 ? 0 : declared.forMs
  }

  /** Whether messages may be kept of a channel that the pattern matches. */
  mayKeep(pattern: string): boolean {
    return this.#kept.some((kept) => intersects(compilePattern(kept.pattern), compilePattern(pattern)) !== undefined)
  }

  /** The key patterns under which messages are kept. */
  keys(): KeyMap {
    return Object.fromEntries(
      this.#kept.map(({ pattern, countMax, forMs }) => {
        const strategy = recent({ countMax, forMs, bytesMax: KEPT_BYTES_MAX })
        const life = forMs === Infinity ? {} : { ttlMs: forMs }
        return [keyOf(pattern), { strategy, retain: 'latest', ...life }] as const
      }),
    )
  }
}

interface Declared {
  readonly pattern: string
  /** 0: nothing is kept. */
  readonly countMax: number
  readonly forMs: number
}

function boundsOf(replay: Replay | undefined): Pick<Declared, 'countMax' | 'forMs'> {
  if (replay === undefined) return { countMax: 0, forMs: 0 }
  return { countMax: replay.count ?? KEPT_MESSAGES_MAX, forMs: replay.forMs ?? Infinity }
}

function replayOf(pattern: string, options: unknown): Replay | undefined {
  const what = `openWarp: channels['${pattern}']`
  if (typeof options !== 'object' || options === null)
    throw new WarpError(
      'WARP_E_CONFIG',
      `${what} is ${shownKind(options)}; give options, such as { replay: { count: 100 } }`,
    )
  checkOptions(what, options, CHANNEL_OPTIONS)
  const { replay } = options as ChannelOptions
  if (replay === undefined) return undefined
  if (typeof replay !== 'object' || (replay as unknown) === null)
    throw refusedOption(what, 'replay', replay, 'give { count } or { forMs }')
  checkOptions(`${what}: replay`, replay, REPLAY_OPTIONS)
  const { count, forMs } = replay
  if (count === undefined && forMs === undefined)
    throw refusedOption(what, 'replay', replay, 'give { count }, { forMs }, or both')
  if (count !== undefined && !isWholeFrom(count, 1, KEPT_MESSAGES_MAX))
    throw outOfRange(`${what}: replay.count`, count, `a whole number from 1 to ${KEPT_MESSAGES_MAX}`)
  if (forMs !== undefined && !isNumberFrom(forMs, 1, LIFE_MS_MAX))
    throw outOfRange(`${what}: replay.forMs`, forMs, `milliseconds from 1 to ${LIFE_MS_MAX}`)
  return replay
}

/** What a subscription goes by. */
export interface Wish extends Pick<SubscribeOptions, 'from' | 'signal'> {
  /** Messages of each channel to begin with; 0: none. */
  readonly replayMax: number
  readonly pendingCountMax: number
  readonly pendingBytesMax: number
}

/** Throws `WARP_E_CONFIG`. */
export function checkedWish(options: SubscribeOptions = {}): Wish {
  checkOptions('subscribe', options, SUBSCRIBE_OPTIONS)
  const { from, replay, signal } = options
  checkBeginning(from, replay)
  const { pendingCountMax = PENDING_COUNT_MAX, pendingBytesMax = PENDING_BYTES_MAX } = options
  for (const [name, value] of Object.entries({ pendingCountMax, pendingBytesMax }))
    if (!isWholeFrom(value, 1)) throw outOfRange(`subscribe: ${name}`, value, 'a whole number of at least 1')
  return {
    ...{ pendingCountMax, pendingBytesMax, replayMax: replay === true ? Infinity : (replay ?? 0) },
    ...(from === undefined ? {} : { from }),
    ...(signal === undefined ? {} : { signal }),
  }
}

function checkBeginning(from: unknown, replay: unknown): void {
  if (from !== undefined && typeof from !== 'string')
    throw refusedOption('subscribe', 'from', from, 'give the cursor of a message')
  if (replay === undefined) return
  if (replay !== true && !isWholeFrom(replay, 1))
    throw refusedOption('subscribe', 'replay', replay, 'give true, or a whole number of at least 1')
  if (from !== undefined)
    throw new WarpError('WARP_E_CONFIG', 'subscribe: from and replay are two beginnings; leave one of them out')
}

/** Throws `WARP_E_CONFIG` for what is no cursor. One of another log is answered with a gap. */
export function checkCursor(from: unknown): void {
  if (from !== undefined && !isCursor(from))
    throw refusedOption('subscribe', 'from', from, 'give the cursor of a message, or of a subscription')
}

/** Throws `WARP_E_CONFIG`, `WARP_E_ABORTED`. */
export function checkPublish(channel: string, options: PublishOptions, isKept: boolean): void {
  checkOptions('publish', options, SETTLE_OPTIONS)
  for (const name of ['ack', 'acks'] as const) {
    if (isKept || options[name] === undefined) continue
    throw new WarpError(
      'WARP_E_CONFIG',
      `publish: the channel '${channel}' keeps nothing, so there is nothing to acknowledge; leave ${name} out, or ` +
        'declare a replay in openWarp({ channels })',
      { details: { option: name } },
    )
  }
  if (options.signal?.aborted === true) throw aborted(options.signal, 'failed')
}

function outOfRange(what: string, value: unknown, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `${what} is ${shownValue(value)}; give ${remedy}`)
}
