/** An open ordered log, and what its readers and its receiver were told. */
import { setTimeout as pause } from 'node:timers/promises'
import type { WarpError } from '../../../src/index.ts'
import type {
  Bookmark,
  OrderedLog,
  OrderedLogLink,
  OrderedLogReport,
  OrderedRecord,
} from '../../../src/ports/ordered-log.ts'

const STEP_MS = 5
const PATIENCE_MS = 45_000

export class LogReader {
  readonly records: OrderedRecord[] = []
  trimmed: number | undefined
  broken: WarpError | undefined
  readonly stop: () => void

  constructor(link: OrderedLogLink, after: Bookmark | undefined, dealWith: () => Promise<void> | void) {
    this.stop = link.follow(0, after, {
      records: (batch) => {
        this.records.push(...batch)
        return dealWith()
      },
      trimmed: (firstOffset) => (this.trimmed = firstOffset),
      broken: (error) => (this.broken = error),
    })
  }

  get ids(): string[] {
    return this.records.map(({ id }) => id).filter((id) => !id.startsWith('barrier:'))
  }

  get last(): Bookmark | undefined {
    return this.records.at(-1)
  }
}

export class LogClient {
  readonly link: OrderedLogLink
  readonly connections: readonly boolean[]
  readonly reports: readonly OrderedLogReport[]

  private constructor(link: OrderedLogLink, connections: boolean[], reports: OrderedLogReport[]) {
    this.link = link
    this.connections = connections
    this.reports = reports
  }

  static async open(log: OrderedLog): Promise<LogClient> {
    const connections: boolean[] = []
    const reports: OrderedLogReport[] = []
    const link = await log.open({
      connected: (isConnected) => void connections.push(isConnected),
      report: (report) => void reports.push(report),
    })
    return new LogClient(link, connections, reports)
  }

  /** The place of a record, whose bytes are its id where none are given. */
  async append(id: string, bytes: Uint8Array = Buffer.from(id)): Promise<number> {
    const outcome = await this.link.append(0, id, bytes)
    if (outcome.kind === 'appended') return outcome.offset
    throw outcome.error
  }

  follow(after?: Bookmark, dealWith: () => Promise<void> | void = () => undefined): LogReader {
    return new LogReader(this.link, after, dealWith)
  }
}

/** Looks again and again, for much longer than anything takes. */
export async function until(isSo: () => boolean): Promise<void> {
  const begun = performance.now()
  while (!isSo()) {
    if (performance.now() - begun > PATIENCE_MS)
      throw new Error(`it has not come to be so in ${PATIENCE_MS} ms: ${String(isSo)}`)
    await pause(STEP_MS)
  }
}
