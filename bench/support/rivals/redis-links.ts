/** The two ways from one replica to Redis, as a second tier and as a bus, each of which can fail by itself. */
import { freePort } from '../../../test/support/free-port.ts'
import { TcpProxy } from '../../../test/support/tcp-proxy.ts'

export class RedisLinks {
  readonly tierUrl: string
  readonly busUrl: string
  readonly #redisUrl: string
  #tier: TcpProxy | undefined
  #bus: TcpProxy | undefined

  private constructor(redisUrl: string, tierPort: number, busPort: number) {
    this.#redisUrl = redisUrl
    this.tierUrl = `redis://127.0.0.1:${tierPort}`
    this.busUrl = `redis://127.0.0.1:${busPort}`
  }

  static async open(redisUrl: string, isAway: boolean): Promise<RedisLinks> {
    const links = new RedisLinks(redisUrl, await freePort(), await freePort())
    if (!isAway) await links.appear()
    return links
  }

  /** Until then connections are refused. */
  async appear(): Promise<void> {
    const at = async (url: string): Promise<TcpProxy> =>
      (await TcpProxy.before(this.#redisUrl, Number(new URL(url).port))).proxy
    this.#tier = await at(this.tierUrl)
    this.#bus = await at(this.busUrl)
  }

  holdAnswers(): void {
    this.#tier?.holdAnswers()
  }

  release(): void {
    this.#tier?.release()
  }

  cutOff(): void {
    this.#bus?.away()
  }

  rejoin(): void {
    this.#bus?.back()
  }

  async close(): Promise<void> {
    this.release()
    await Promise.all([this.#tier?.close(), this.#bus?.close()])
  }
}
