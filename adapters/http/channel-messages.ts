/** News of channels as JSON, for consumers of `/channel`. Payloads are tagged as values are. */
import { errorJson, type ErrorJson } from '../../src/control/error-json.ts'
import { toJson, type Json } from '../../src/control/tagged-json.ts'
import type { ChannelNews } from '../../src/index.ts'

export type ChannelHttpMessage =
  /** The subscription runs. `cursor` is where it would resume; absent where nothing is kept, and before a replay. */
  | { readonly kind: 'open'; readonly cursor?: string }
  /** `error` stands in the place of a payload that cannot be shown. */
  | {
      readonly kind: 'message'
      readonly channel: string
      readonly payload?: Json
      readonly error?: ErrorJson
      readonly publisher: string
      readonly timeMs: number
      readonly cursor?: string
    }
  /** Messages were missed. `missedCount` is `null` if it is not known. */
  | {
      readonly kind: 'gap'
      readonly missedCount: number | null
      readonly channel?: string
      readonly publisher?: string
      readonly cursor?: string
    }
  /** The last message: the server goes down (`WARP_E_CLOSED`), or the log cannot be read. */
  | { readonly kind: 'error'; readonly error: ErrorJson }

export function channelMessageOf(news: ChannelNews): ChannelHttpMessage {
  if (news.kind === 'gap') return { ...news, missedCount: news.missedCount ?? null }
  const { payload, ...facts } = news
  return { ...facts, ...shownPayload(payload) }
}

/** A payload that JSON cannot show does not end the subscription. */
function shownPayload(payload: unknown): { readonly payload?: Json; readonly error?: ErrorJson } {
  try {
    return { payload: toJson(payload) }
  } catch (error) {
    return { error: errorJson(error) }
  }
}
