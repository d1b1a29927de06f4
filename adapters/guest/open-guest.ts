/** A guest with the platform's clocks, timers and WebSockets. */
import { refusedOption } from '../../crdt/checked-options.ts'
import { openGuestOn } from '../../src/guests/guest/guest.ts'
import type { Guest, GuestOptions } from '../../src/guests/guest/guest-types.ts'
import type { Env } from '../../src/ports/env.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { dialWebSocket } from './web-socket-dial.ts'

export interface OpenGuestOptions<K extends KeyMap> extends GuestOptions<K> {
  /** Of the gateway, or of what stands before several: `wss://app.example/guests`. */
  readonly url: string | URL
}

/**
 * Opens a guest of a cluster: it is there at once, holds what it has been sent in memory, and connects
 * again whenever its connection ends. Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`, `WARP_E_MODE`, `WARP_E_LIMIT`.
 *
 *     const guest = openGuest({ url: 'wss://app.example/guests', keys: { 'todo:*': register<Todo>() } })
 *     guest.set('todo:1', { title: 'Milk' })
 */
export function openGuest<const K extends KeyMap>(options: OpenGuestOptions<K>): Guest<K> {
  const url: unknown = (options as Partial<OpenGuestOptions<K>> | undefined)?.url
  if (!/^wss?:\/\//.test(String(url)))
    throw refusedOption('openGuest', 'url', url, "give that of a gateway, such as 'wss://app.example/guests'")
  return openGuestOn<K>({ env: platformEnv(), dial: (signal) => dialWebSocket(String(url), signal) }, options, ['url'])
}

/** Those of now: tests of users replace them later (adapters/node/node-env.ts). */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
const elapsed = performance.now.bind(performance)

function platformEnv(): Env {
  return {
    now: () => Date.now(),
    monotonic: () => elapsed(),
    schedule: (delayMs, callback) => {
      const timer = startTimer(callback, delayMs)
      // A guest keeps no process alive by its timers. Browsers have numbers for them.
      if (typeof timer === 'object') timer.unref()
      return { cancel: () => stopTimer(timer) }
    },
    defer: (callback) => queueMicrotask(callback),
    yield: () => new Promise((resolve) => void startTimer(resolve, 0)),
    random: (count) => crypto.getRandomValues(new Uint8Array(count)),
  }
}
