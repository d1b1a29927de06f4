/** One replica of a chaos run, as its supervisor sees it: started, killed, stopped, started again. */
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ChildProgram } from '../support/child-program.ts'
import type { Ledger, Values } from './ledger.ts'
import { POISONED_EXIT } from './exit-codes.ts'
import type { ChaosOpening, ChaosProgram } from './replica-process.ts'

export type Settings = Omit<ChaosOpening, 'life'>

export class HauntedReplica {
  readonly settings: Settings
  /** Ends by itself that nobody planned, a line each. */
  readonly faults: string[] = []
  /** A disk of its own, which may be filled. */
  readonly #disk: string | undefined
  readonly #ledger: Ledger
  #program: ChildProgram<ChaosProgram> | undefined
  #livesCount = 0
  #isExpectedToEnd = false

  constructor(settings: Settings, ledger: Ledger, disk: string | undefined) {
    this.settings = settings
    this.#ledger = ledger
    this.#disk = disk
  }

  get canFill(): boolean {
    return this.#disk !== undefined
  }

  async start(): Promise<void> {
    const { name } = this.settings
    const life = `${name}-${++this.#livesCount}`
    const program = new ChildProgram<ChaosProgram>('test/chaos/replica', {
      onLine: (line) => {
        if (!this.#ledger.take(line)) console.log(`${life}: ${line}`)
      },
    })
    this.#program = program
    this.#isExpectedToEnd = false
    void program.ended.then((how) => {
      if (this.#isExpectedToEnd || how === POISONED_EXIT) return
      this.faults.push(`${life} ended by itself: ${how}`)
    })
    await program.ask('open', { ...this.settings, life })
  }

  async kill(): Promise<void> {
    this.#isExpectedToEnd = true
    await this.#program?.end('SIGKILL')
    await this.#program?.ended
  }

  /** SIGSTOP, as a long pause of the machine or of a debugger. */
  async stop(): Promise<void> {
    const { pid } = this.#running
    this.#running.signal('SIGSTOP')
    while (!/^State:\s+[TZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  continue(): void {
    this.#running.signal('SIGCONT')
  }

  async shiftClock(offsetMs: number): Promise<void> {
    await this.#running.ask('shiftClock', { offsetMs })
  }

  /** Takes all the room that is left on its disk. */
  fillDisk(): void {
    const { bavail, bsize } = statfsSync(this.#diskPath)
    try {
      writeFileSync(path.join(this.#diskPath, 'filler'), Buffer.alloc(bavail * bsize))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }

  freeDisk(): void {
    rmSync(path.join(this.#diskPath, 'filler'), { force: true })
  }

  async stopWriting(): Promise<void> {
    await this.#running.ask('stopWriting')
  }

  async values(): Promise<Values> {
    return this.#running.ask('values')
  }

  async events(): Promise<readonly (readonly [kind: string, count: number])[]> {
    return this.#running.ask('events')
  }

  async namedCount(): Promise<number> {
    return this.#running.ask('namedCount')
  }

  /** In order, and for good. */
  async leave(): Promise<void> {
    this.#isExpectedToEnd = true
    await this.stopWriting()
    await this.#running.ask('leave')
    await this.#program?.end()
  }

  async close(): Promise<void> {
    this.#isExpectedToEnd = true
    await this.#running.ask('close')
    await this.#program?.end()
  }

  get #running(): ChildProgram<ChaosProgram> {
    if (this.#program === undefined) throw new Error(`${this.settings.name} has not been started`)
    return this.#program
  }

  get #diskPath(): string {
    if (this.#disk === undefined) throw new Error(`${this.settings.name} has no disk of its own`)
    return this.#disk
  }
}
