/**
 * `checkLog`: audits logs without changing them. Each is checked by itself (`log-audit.ts`), then
 * each pair against each other.
 *
 * What one log alone can show: every flipped bit, a missing operation, two contents under one dot,
 * an operation that contradicts the order, the causes or the chain that it stands in, a snapshot or
 * a checkpoint that the records contradict, a strategy that does not fold alike twice.
 * What it cannot: an operation that was rewritten together with its checksum and contradicts
 * nothing. Operations are not signed; it takes a second log that has them too.
 */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Env } from '../ports/env.ts'
import { Keyspaces, OPAQUE } from '../keys/keyspace.ts'
import type { LogFiles } from '../ports/files.ts'
import type { Platform } from '../ports/platform.ts'
import { compareLogs } from './compare-logs.ts'
import type { CheckLogOptions, CheckProgress, CheckReport, Finding, FindingKind } from './finding.ts'
import { LogAudit } from './log-audit.ts'
import type { Report } from './structure.ts'

/** Nothing is folded by it. */
const ANY_CODE = 255

const OPTIONS = optionNames<CheckLogOptions>({
  logs: true,
  keys: true,
  env: true,
  onFinding: true,
  onProgress: true,
  signal: true,
})

const NOTES: ReadonlySet<FindingKind> = new Set<FindingKind>(['tail', 'unreadable'])

/**
 * Reads everything that the logs hold and reports what is wrong with it. Throws what opening a log
 * throws, but not `WARP_E_LOG_CORRUPT`, which is a finding; `WARP_E_CONFIG`, `WARP_E_PATTERN` for
 * keys; `WARP_E_ABORTED`.
 */
export async function checkLogOn(platform: Platform, options: CheckLogOptions): Promise<CheckReport> {
  checkOptions('checkLog', options, OPTIONS)
  if (!Array.isArray(options.logs) || options.logs.length === 0) {
    const what = 'checkLog: there is no log; give one, or { logs: [one, ...] }'
    throw new WarpError('WARP_E_CONFIG', what)
  }
  return new Check(options, platform).run()
}

class Check {
  readonly #options: CheckLogOptions
  readonly #env: Env
  readonly #format: number | undefined
  readonly #keyspaces: Keyspaces
  readonly #audits: LogAudit[] = []
  readonly #opened: LogFiles[] = []
  #damageCount = 0
  #notesCount = 0
  #first: Finding | undefined

  constructor(options: CheckLogOptions, { env, format }: Platform) {
    this.#options = options
    this.#env = options.env ?? env
    this.#format = format
    this.#keyspaces = new Keyspaces(options.keys ?? { '*': { ...OPAQUE, code: ANY_CODE } }, true)
  }

  async run(): Promise<CheckReport> {
    try {
      for (const store of this.#options.logs) {
        const files = await store.open()
        this.#opened.push(files)
        await this.#audit(store.name, files)
      }
      await this.#compareAll()
    } finally {
      await this.#close()
    }
    return {
      isSound: this.#damageCount === 0,
      logs: this.#audits.map((audit) => audit.summary()),
      damageCount: this.#damageCount,
      notesCount: this.#notesCount,
      first: this.#first,
    }
  }

  async #audit(name: string, files: LogFiles): Promise<void> {
    const audit = new LogAudit({
      name,
      files,
      env: this.#env,
      format: this.#format,
      keyspaces: this.#keyspaces,
      folds: this.#options.keys !== undefined,
      report: this.#reportOf(name),
      pause: (progress) => this.#pause(progress),
    })
    this.#audits.push(audit)
    await audit.run()
  }

  async #compareAll(): Promise<void> {
    const logs = this.#audits.flatMap(({ compared }) => compared ?? [])
    const keyspaces = this.#options.keys === undefined ? undefined : this.#keyspaces
    for (const [i, one] of logs.entries()) {
      for (const other of logs.slice(i + 1)) {
        const total = one.dots.count + (keyspaces === undefined ? 0 : one.end.keys.size)
        const pause = (done: number): Promise<void> => this.#pause({ log: one.name, phase: 'comparing', done, total })
        await compareLogs(one, other, { keyspaces, report: this.#reportOf(one.name), pause })
      }
    }
  }

  async #close(): Promise<void> {
    for (const audit of this.#audits) await audit.close()
    for (const files of this.#opened) await files.close()
  }

  #reportOf(log: string): Report {
    return (kind, message, about = {}) => {
      const finding: Finding = { kind, severity: NOTES.has(kind) ? 'note' : 'damage', log, message, ...about }
      if (finding.severity === 'note') this.#notesCount++
      else {
        this.#damageCount++
        this.#first ??= finding
      }
      this.#options.onFinding?.(finding)
    }
  }

  async #pause(progress: CheckProgress): Promise<void> {
    this.#options.onProgress?.(progress)
    await this.#env.yield()
    const { signal } = this.#options
    if (signal?.aborted === true)
      throw new WarpError('WARP_E_ABORTED', 'checking the log was given up', { cause: signal.reason })
  }
}
