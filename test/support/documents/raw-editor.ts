/** A client of either protocol that sends what it is told, byte for byte, and keeps what it hears. */
import { WebSocket } from 'ws'
import { concatenated, withLength } from '../../../adapters/y-websocket/frames/bytes.ts'
import { until } from './providers.ts'

export class RawEditor {
  readonly heard: string[] = []
  closed: { readonly code: number; readonly reason: string } | undefined
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.heard.push(data.toString('hex')))
    socket.on('error', () => undefined)
    socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }))
  }

  static async open(port: number, path: string, headers: Record<string, string> = {}): Promise<RawEditor> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
    const editor = new RawEditor(socket)
    await new Promise<void>((resolve, reject) => {
      socket.on('open', resolve)
      socket.on('error', reject)
    })
    return editor
  }

  send(...parts: readonly (string | Uint8Array)[]): void {
    this.#socket.send(concatenated(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part))))
  }

  sendUpdate(update: Uint8Array): void {
    this.send('0002', withLength(update))
  }

  sendText(text: string): void {
    this.#socket.send(text)
  }

  async hears(hex: string): Promise<void> {
    await until(() => this.heard.includes(hex))
  }

  async isClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    await until(() => this.closed !== undefined)
    return this.closed!
  }

  close(): void {
    this.#socket.terminate()
  }
}

/** A text as both protocols write it, for those of fewer than 128 bytes. */
export function hexOf(text: string): string {
  const bytes = Buffer.from(text)
  return Buffer.from([bytes.length, ...bytes]).toString('hex')
}
