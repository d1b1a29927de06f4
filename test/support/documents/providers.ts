/** Providers as editors have them, unmodified, each with a document of its own, in one process. */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { vi } from 'vitest'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

/** What tests use of the awareness of either provider. */
export interface SeenAwareness {
  readonly clientID: number
  getStates(): Map<number, Record<string, unknown>>
  setLocalState(state: Record<string, unknown> | null): void
  setLocalStateField(name: string, value: unknown): void
}

/** An editor: its text, and how it comes and goes. */
export interface Editor {
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly awareness: SeenAwareness
  readonly isSynced: boolean
  goOffline(): void
  goOnline(): void
  destroy(): void
}

export interface YWebsocketEditor extends Editor {
  readonly provider: WebsocketProvider
}

export interface HocuspocusEditor extends Editor {
  readonly provider: HocuspocusProvider
}

export interface EditorOptions {
  readonly clientId?: number
  readonly params?: Record<string, string>
  readonly doc?: Y.Doc
}

/** Without BroadcastChannel: editors of one process would agree without a server. */
export function yWebsocketEditor(port: number, name: string, options: EditorOptions = {}): YWebsocketEditor {
  const doc = docOf(options)
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, name, doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
    maxBackoffTime: 300,
    ...(options.params === undefined ? {} : { params: options.params }),
  })
  provider.on('connection-error', () => undefined)
  return {
    ...{ doc, provider, text: doc.getText('body') },
    awareness: provider.awareness,
    get isSynced() {
      return provider.synced
    },
    goOffline: () => provider.disconnect(),
    goOnline: () => provider.connect(),
    destroy() {
      provider.destroy()
      doc.destroy()
    },
  }
}

export interface HocuspocusOptions extends EditorOptions {
  readonly token?: string | (() => string)
}

export function hocuspocusEditor(port: number, name: string, options: HocuspocusOptions = {}): HocuspocusEditor {
  const doc = docOf(options)
  const socket = new HocuspocusProviderWebsocket({
    url: `ws://127.0.0.1:${port}`,
    WebSocketPolyfill: WebSocket,
    ...{ delay: 100, minDelay: 100, maxDelay: 300 },
  })
  const provider = new HocuspocusProvider({
    ...{ websocketProvider: socket, name, document: doc, token: options.token ?? 'none' },
  })
  provider.attach()
  return {
    ...{ doc, provider, text: doc.getText('body') },
    awareness: provider.awareness as unknown as SeenAwareness,
    get isSynced() {
      return provider.isSynced
    },
    goOffline: () => socket.disconnect(),
    goOnline: () => void socket.connect(),
    destroy() {
      provider.destroy()
      socket.destroy()
      doc.destroy()
    },
  }
}

/** Waits, no longer than a slow machine takes. */
export async function until(isSo: () => boolean): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 30_000, interval: 10 })
}

export function synced(...editors: readonly Editor[]): Promise<void> {
  return until(() => editors.every(({ isSynced }) => isSynced))
}

/** Waits until all show the same text of this length, and gives it. */
export async function agreed(editors: readonly Editor[], length: number): Promise<string> {
  const [first] = editors as readonly [Editor]
  await until(() => editors.every(({ text }) => text.length === length && text.toJSON() === first.text.toJSON()))
  return first.text.toJSON()
}

function docOf({ clientId, doc = new Y.Doc() }: EditorOptions): Y.Doc {
  if (clientId !== undefined) doc.clientID = clientId
  return doc
}
