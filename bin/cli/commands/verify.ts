/** `warp verify DIR [OTHER...]`. */
import type { CheckedLog, CheckReport, Finding } from '../../../adapters/node/index.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { folderExists, keysOf, loadConfig } from '../settings/config.ts'
import { EXIT } from '../program/exit-codes.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { UnreachableError, UsageError } from '../program/failure.ts'
import type { Output } from '../output/output.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { printable } from '../values.ts'

/** Findings printed for people; with --json all are. */
const SHOWN_MAX = 50

export const VERIFY_COMMAND: AnyCommand = command<DataFlags, readonly string[]>({
  name: 'verify',
  summary: 'check a log from its bytes to its values; several also against each other',
  details:
    'Reads everything and changes nothing: checksums, what records say of each other, checkpoints, and, if the configuration says what ' +
    'the keys mean, every value, folded a second time in the plainest way. Exit code 1 if there is damage.\n\n' +
    'One folder shows each flipped bit, missing operations, two contents under one dot, and operations that contradict their order, ' +
    'causes or chain. An operation that was rewritten with its checksum and contradicts nothing takes the folder of another replica to be ' +
    'found: name both. The folders must not be held by a process.',
  arguments: [{ name: '[folders...]', about: "folders of replicas of one cluster (default: the data's)" }],
  options: DATA_OPTIONS,
  examples: ['verify ./data', 'verify ./a ./b ./c', 'verify ./data --json'],
  async run({ parameters: folders, options, output, signal }) {
    const [first] = folders
    const config = await loadConfig(first === undefined ? options : { ...options, data: first })
    const paths = folders.length === 0 ? [config.data] : folders
    for (const path of paths) if (!folderExists(path)) throw new UsageError(`there is no folder ${path}`)
    const keys = Object.keys(config.keys).length === 0 ? undefined : await keysOf(config)
    const { checkLog } = await import('../../../adapters/node/index.ts')
    const { fileLog } = await import('../../../adapters/file/index.ts')
    const printer = new Printer(output)
    const progress = output.progress('verifying', 'steps')
    try {
      const report = await checkLog({
        logs: paths.map((path) => ({ ...fileLog({ path, readOnly: true }), name: path })),
        ...(keys === undefined ? {} : { keys }),
        onFinding: (finding) => printer.finding(finding),
        onProgress: ({ done, total }) => progress.at(done, total),
        signal,
      })
      progress.end()
      await printer.report(report, keys !== undefined)
      return report.isSound ? EXIT.ok : EXIT.no
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_LOCKED')) throw error
      const { message } = error
      throw new UnreachableError(`${message}. verify reads the folder itself: stop that process, or verify a copy`)
    } finally {
      progress.end()
    }
  },
})

class Printer {
  readonly #output: Output
  #written: Promise<void> = Promise.resolve()
  #count = 0

  constructor(output: Output) {
    this.#output = output
  }

  finding(finding: Finding): void {
    const { isJson, paint } = this.#output
    if (isJson) this.#write(() => this.#output.json(finding))
    else if (++this.#count <= SHOWN_MAX) {
      const severity = finding.severity === 'damage' ? paint.red('damage') : 'note'
      this.#write(() => this.#output.line(`${severity}: ${printable(lineOf(finding))}`))
    }
  }

  async report(report: CheckReport, isFolded: boolean): Promise<void> {
    await this.#written
    const { isJson } = this.#output
    if (isJson) {
      await this.#output.json({ kind: 'report', ...report })
      return
    }
    if (this.#count > SHOWN_MAX) await this.#output.line(`and ${this.#count - SHOWN_MAX} more; --json prints all`)
    await this.#output.table(HEAD, report.logs.map(rowOf))
    const folded = isFolded ? '' : '; values were not folded, since nothing says what the keys mean (--config, --key)'
    await this.#output.line(`${verdictOf(report)}${folded}`)
  }

  /** In order, however slow the reader. */
  #write(write: () => Promise<void>): void {
    this.#written = this.#written.then(write)
  }
}

const HEAD = ['log', 'replica', 'bytes', 'operations', 'keys', 'snapshots', 'folded']

function rowOf({ name, replica, ...counts }: CheckedLog): string[] {
  const { bytes, operationsCount, keysCount, snapshotsCount, foldedKeysCount } = counts
  const numbers = [bytes, operationsCount, keysCount, snapshotsCount, foldedKeysCount].map(String)
  return [name, replica ?? '', ...numbers]
}

function lineOf({ log, kind, message, file, offset }: Finding): string {
  const place = file === undefined ? '' : ` (${file}${offset === undefined ? '' : `, offset ${offset}`})`
  return `${kind} in ${log}: ${message}${place}`
}

function verdictOf({ isSound, damageCount, first }: CheckReport): string {
  if (isSound) return 'sound'
  const where = first?.dot === undefined ? '' : `, the first at ${first.dot.replica}:${first.dot.sequence}`
  return `damaged: ${damageCount} findings${where}`
}
