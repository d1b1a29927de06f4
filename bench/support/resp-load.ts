/**
 * What redis-benchmark does, as it is not everywhere: some connections, each with so many requests under way,
 * and the next ones sent when their replies are there. What the server takes for that is read from the
 * system, so it does not count what this process takes.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

export interface Load {
  readonly port: number
  /** The process whose time is measured. */
  readonly pid: number
  readonly connections: number
  /** Requests of one connection that are under way. */
  readonly pipeline: number
  readonly requests: number
  /** The words of a request. */
  readonly wordsOf: (i: number) => readonly string[]
  /** How many lines a reply has. */
  readonly replyLines: number
}

export interface Taken {
  /** Requests that were sent: `requests`, and what makes the last chunks whole. */
  readonly count: number
  readonly perSecond: number
  /** Processor time of the server, all threads. */
  readonly cpuUs: number
}

const LF = 10
/** In /proc, of Linux. */
const TICKS_PER_SECOND = 100

export function request(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** Sends all requests and waits for all replies. */
export async function drive(load: Load): Promise<Taken> {
  const { port, pid, connections, pipeline, requests, wordsOf } = load
  const perConnection = Math.ceil(requests / connections / pipeline)
  const chunks = Array.from({ length: Math.min(perConnection, 64) * connections }, (_, c) =>
    Buffer.from(Array.from({ length: pipeline }, (__, i) => request(wordsOf(c * pipeline + i))).join('')),
  )
  const sockets = await Promise.all(Array.from({ length: connections }, () => opened(port)))
  const [beganMs, beganUs] = [performance.now(), cpuUsOf(pid)]
  await Promise.all(
    sockets.map((socket, s) =>
      driven(socket, load, (turn) => chunks[(turn * connections + s) % chunks.length]!, perConnection),
    ),
  )
  const [tookMs, cpuUs] = [performance.now() - beganMs, cpuUsOf(pid) - beganUs]
  for (const socket of sockets) socket.destroy()
  const count = perConnection * pipeline * connections
  return { count, perSecond: (count / tookMs) * 1000, cpuUs: cpuUs / count }
}

async function opened(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

function driven(
  socket: Socket,
  { pipeline, replyLines }: Load,
  chunkAt: (turn: number) => Buffer,
  turns: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let [turn, lines] = [0, 0]
    const next = (): void => {
      if (turn === turns) resolve()
      else socket.write(chunkAt(turn++))
    }
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server has closed the connection')))
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) lines++
      if (lines < pipeline * replyLines) return
      lines -= pipeline * replyLines
      next()
    })
    next()
  })
}

/** Of all threads of a process. */
export function cpuUsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND
}

/** Bytes of a process in memory. */
export function residentBytesOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024
}
