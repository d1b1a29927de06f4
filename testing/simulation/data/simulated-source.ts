/**
 * A source that is only loaded from, such as an API: of each key a version, which others make greater
 * and greater. A load takes its time there and back, may fail, and may never be answered. It reads at
 * one moment in between.
 */
import type { Random } from '../../world/random.ts'
import type { TimeLine } from '../../world/time-line.ts'
import type { Life } from '../life.ts'
import type { RunHistory } from '../report/run-history.ts'

export interface SourceTroubles {
  /** Of the way there, and of the way back: up to twice as much. */
  readonly latencyMs: number
  /** Shares of the loads. */
  readonly failure: number
  readonly hanging: number
}

export const CALM_SOURCE: SourceTroubles = { latencyMs: 2, failure: 0, hanging: 0 }

export interface SimulatedSourceOptions {
  readonly line: TimeLine
  readonly random: Random
  readonly history: RunHistory
}

export class SimulatedSource {
  troubles: SourceTroubles = CALM_SOURCE
  readonly #options: SimulatedSourceOptions
  /** When each version came, by key: version 1 first. */
  readonly #changes = new Map<string, number[]>()

  constructor(options: SimulatedSourceOptions) {
    this.#options = options
  }

  /** Somebody changes it. Returns the version that is there from now on. */
  change(key: string): number {
    const changes = this.#changes.get(key) ?? []
    this.#changes.set(key, changes)
    return changes.push(this.#options.line.nowMs)
  }

  /** What a load gives that reads at this moment. */
  versionAt(key: string, atMs: number): number {
    const changes = this.#changes.get(key) ?? []
    let version = changes.length
    while (version > 0 && (changes[version - 1] as number) > atMs) version--
    return version
  }

  /** A load by a process: if that has died meanwhile, nobody is told. */
  load(life: Life, key: string): Promise<number> {
    const { line, random, history } = this.#options
    const { latencyMs, failure, hanging } = this.troubles
    const [thereMs, backMs] = [this.#latency(latencyMs), this.#latency(latencyMs)]
    const [hangs, fails] = [random.chance(hanging), random.chance(failure)]
    return new Promise((resolve, reject) => {
      line.schedule(thereMs, () => {
        const version = this.versionAt(key, line.nowMs)
        if (hangs) history.count('load never answered')
        else if (fails) line.schedule(backMs, () => life.run(() => reject(new Error('the source is out of order'))))
        else line.schedule(backMs, () => life.run(() => resolve(version)))
      })
    })
  }

  #latency(ms: number): number {
    return ms * (1 + this.#options.random.float())
  }
}
