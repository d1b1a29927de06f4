/**
 * What a run of the demo occupies: processes and a folder for their logs. Both are gone when the
 * run ends, however it ends: by itself, by an error, by Ctrl-C. If this process itself is killed,
 * its children notice and end; only the folder then stays.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Calls } from './replicas/calls.ts'
import { Child, type ChildOptions } from './replicas/child.ts'

/** By the convention of shells: 128 and the number of the signal. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/**
 * A child that has just been killed may still be making a file in a folder that is being removed.
 */
const REMOVAL: { readonly recursive: true; readonly force: true; readonly maxRetries: number } = {
  recursive: true,
  force: true,
  maxRetries: 5,
}

export class Stage {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'warp-demo-'))
  readonly #endings = new Map<{ killNow(): void }, Promise<void>>()
  #isClosed = false

  start<C extends Calls<C>>(options: ChildOptions): Child<C> {
    if (this.#isClosed) throw new Error(`${options.name} cannot be started: the demo is ending`)
    const child = new Child<C>(options)
    this.#endings.set(child, child.ended)
    void child.ended.then(() => this.#endings.delete(child))
    return child
  }

  /** Kills what still runs, waits until it has ended, and removes the folder. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const child of this.#endings.keys()) child.killNow()
    await Promise.all(this.#endings.values())
    rmSync(this.folder, REMOVAL)
  }

  /** As `close`, when this process ends at once. */
  readonly closeNow = (): void => {
    for (const child of this.#endings.keys()) child.killNow()
    rmSync(this.folder, REMOVAL)
  }
}

/** The exit code of `run`, or of the signal that ended it. */
export async function onStage(run: (stage: Stage) => Promise<number>): Promise<number> {
  const stage = new Stage()
  process.once('exit', stage.closeNow)
  const { promise: interrupted, stopListening } = interruption()
  const running = run(stage)
  try {
    return await Promise.race([running, interrupted])
  } finally {
    // After a signal, the run fails because its processes are gone.
    running.catch(() => undefined)
    await stage.close()
    stopListening()
    process.removeListener('exit', stage.closeNow)
  }
}

function interruption(): { readonly promise: Promise<number>; readonly stopListening: () => void } {
  const listeners: [signal: NodeJS.Signals, listener: () => void][] = []
  const promise = new Promise<number>((resolve) => {
    for (const [signal, code] of Object.entries(SIGNAL_CODES) as [keyof typeof SIGNAL_CODES, number][]) {
      const listener = (): void => resolve(code)
      listeners.push([signal, listener])
      process.on(signal, listener)
    }
  })
  const stopListening = (): void => listeners.forEach(([signal, listener]) => process.removeListener(signal, listener))
  return { promise, stopListening }
}
