/** A key that is replaced while everybody works, over real sockets: no member is lost, and no frame. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type MeshTransport, meshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import type { TransportLink, TransportReport } from '../../../src/index.ts'
import { freePort } from '../../support/free-port.ts'
import { KEY_TEXT, OTHER_KEY_TEXT } from './contact-fixture.ts'

const ROUNDS = [[KEY_TEXT, OTHER_KEY_TEXT], [OTHER_KEY_TEXT, KEY_TEXT], [OTHER_KEY_TEXT]]
/** Beyond a datagram, so by stream. */
const LARGE_BYTES = 5000

class Process {
  readonly address: string
  readonly #transport: MeshTransport
  readonly #downs: string[] = []
  readonly #reports: TransportReport[] = []
  readonly #received = new Map<string, Set<number>>()
  #link: TransportLink | undefined

  constructor(port: number, peers: readonly string[]) {
    this.address = `127.0.0.1:${port}`
    this.#transport = meshTransport({ port, peers, clusterKey: KEY_TEXT, multicast: false })
  }

  async open(): Promise<void> {
    this.#link = await this.#transport.open({
      receive: (from, bytes) => {
        const numbers = this.#received.get(from) ?? new Set<number>()
        numbers.add(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0))
        this.#received.set(from, numbers)
      },
      peerDown: (peer) => void this.#downs.push(peer),
      report: (report) => void this.#reports.push(report),
    })
  }

  get peersUp(): number {
    return this.#transport.members().filter(({ state }) => state === 'alive').length
  }

  /** Frame `number`, to everybody; whether everybody's was taken. */
  send(number: number, to: readonly Process[]): boolean {
    const bytes = new Uint8Array(number % 2 === 0 ? 100 : LARGE_BYTES)
    new DataView(bytes.buffer).setUint32(0, number)
    return to.every(({ address }) => address === this.address || this.#link?.send(address, bytes) === true)
  }

  useKeys(keys: readonly string[]): void {
    this.#transport.useKeys(keys)
  }

  countFrom({ address }: Process): number {
    return this.#received.get(address)?.size ?? 0
  }

  get losses(): readonly unknown[] {
    return [...this.#downs, ...this.#reports.filter(({ kind }) => kind !== 'packets:refused')]
  }

  async close(): Promise<void> {
    await this.#link?.close()
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(5)
}

test('a key is replaced on three processes one by one while they send: no member and no frame is lost', async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const peers = ports.map((port) => `127.0.0.1:${port}`)
  const processes = ports.map((port) => new Process(port, peers))
  await Promise.all(processes.map((process) => process.open()))
  await until(() => processes.every(({ peersUp }) => peersUp === 2))

  let sent = 0
  let isSending = true
  const sending = (async () => {
    for (; isSending; sent++) {
      for (const process of processes) expect(process.send(sent, processes)).toBe(true)
      await pause(2)
    }
  })()
  for (const keys of ROUNDS) {
    for (const process of processes) {
      const before = sent
      process.useKeys(keys)
      // In the middle of what the others send; the last round comes when the handshakes of the second are over.
      await until(() => sent >= before + 150)
    }
  }
  isSending = false
  await sending
  const isThere = (): boolean =>
    processes.every((to) => processes.every((from) => from === to || to.countFrom(from) === sent))
  for (let i = 0; i < 1000 && !isThere(); i++) await pause(5)
  const counts = processes.map((to) => processes.map((from) => (from === to ? sent : to.countFrom(from))))
  expect(counts).toEqual(processes.map(() => processes.map(() => sent)))
  expect(processes.map(({ losses }) => losses)).toEqual([[], [], []])
  await Promise.all(processes.map((process) => process.close()))
})
