/** A client that sends what it is told, byte for byte, and gives replies as they came, to be seen as text. */
import { connect, type Socket } from 'node:net'
import { readReply, type Reply } from './reply-reader.ts'

export class RawClient {
  readonly #socket: Socket
  #text = ''
  #at = 0
  #isClosed = false
  #waiting: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#text = this.#text.slice(this.#at) + chunk.toString('latin1')
      this.#at = 0
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
  }

  static async open(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  /** Binary strings. */
  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  /** The next reply; throws where the connection has ended. */
  async reply(): Promise<Reply> {
    for (;;) {
      const read = readReply(this.#text, this.#at)
      if (read !== undefined) {
        this.#at = read.at
        return read.reply
      }
      if (this.#isClosed) throw new Error('the connection has ended')
      await this.#more()
    }
  }

  async ask(...words: readonly string[]): Promise<Reply> {
    this.send(request(words))
    return this.reply()
  }

  /** Replies to all of these, sent at once. */
  async askAll(requests: readonly (readonly string[])[]): Promise<Reply[]> {
    this.send(requests.map(request).join(''))
    const replies: Reply[] = []
    for (let i = 0; i < requests.length; i++) replies.push(await this.reply())
    return replies
  }

  /** Whatever comes until the other side ends the connection. */
  async rest(): Promise<string> {
    while (!this.#isClosed) await this.#more()
    return this.#text.slice(this.#at)
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.destroy()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#waiting = resolve))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }
}

/** Words as a request, binary strings. */
export function request(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}

const MARKS = { simple: '+', error: '-', verbatim: '=', double: ',', bigint: '(', bulk: '' } as const
const BRACKETS = { array: '*', set: '~', push: '>', map: '%' } as const

/** A reply as it is written down in docs: `+OK`, `:1`, `"bulk"`, `*["a" :1]`. */
export function shown(reply: Reply): string {
  if ('items' in reply) return `${BRACKETS[reply.kind]}[${reply.items.map(shown).join(' ')}]`
  if ('value' in reply) return `${reply.kind === 'integer' ? ':' : '#'}${reply.value}`
  if (!('text' in reply)) return reply.kind === 'null' ? 'nil' : 'nil-array'
  const isQuoted = reply.kind === 'bulk' || reply.kind === 'verbatim'
  return MARKS[reply.kind] + (isQuoted ? JSON.stringify(reply.text) : reply.text)
}
