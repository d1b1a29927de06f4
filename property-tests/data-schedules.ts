/**
 * A schedule of the model of keyspaces with a store (test/models/data-layer/store), as steps of engines:
 * each request to the store, each answer and each tick of the network is a step of its own there as well.
 */
import { readStep, type ReadStep, type StepName } from '../test/models/data-layer/store/steps.ts'
import type { Config as ModelConfig } from '../test/models/data-layer/store/world.ts'
import { NAMES, type Config, type How, type Step } from './data-attack.ts'

const HOWS: readonly How[] = ['key', 'pattern', 'tag', 'hard', 'clear']
/** A write behind waits so long for others, and one more. */
const FLUSH_MS = 31
const SYNC_MS = 200
const LIFE_MS = 401

export function engineConfig({ cluster, volatile, profile }: ModelConfig): Config {
  return {
    ...{ kinds: ['o', 'w'], keysCount: 2 },
    ...{ ttl: profile === 1 ? 'absolute' : 'none', jitterMs: 0, staleMs: 0, softTimeoutMs: 1000, refreshAhead: 1 },
    ...{ negativeTtlMs: 0, loads: cluster ? 'cluster' : 'replica', policy: 'sieve', entriesMax: 4, delayMs: 1 },
    inMemory: volatile,
  }
}

export function engineSteps(config: ModelConfig, schedule: readonly number[]): Step[] {
  return schedule.flatMap((n) => stepsOf(config, readStep(n, config.profile)))
}

function stepsOf(config: ModelConfig, step: ReadStep): Step[] {
  return ON_ENGINES[step.name](step, step.r % NAMES.length, config)
}

const ON_ENGINES: Readonly<Record<StepName, (step: ReadStep, by: number, config: ModelConfig) => Step[]>> = {
  read: ({ key, a }, by, config) => {
    const isOutsiders = config.outsiders && a % 2 === 0
    return [{ do: 'read', by, key, kind: isOutsiders ? 'o' : writtenKind(config, a) }]
  },
  write: ({ key, a }, by, config) => [{ do: a % 6 === 0 ? 'delete' : 'write', by, key, kind: writtenKind(config, a) }],
  flush: () => [{ do: 'advance', ms: FLUSH_MS }],
  execute: ({ a }) => [{ do: 'execute', which: a }],
  reply: ({ a }) => [{ do: 'reply', which: a }],
  deliver: () => [{ do: 'advance', ms: 1 }],
  outsider: ({ key }, _by, { outsiders }) => (outsiders ? [{ do: 'outsider', key }] : []),
  invalidate: ({ key, a }, by) => [{ do: 'announce', by, key, kind: 'o', how: HOWS[a % HOWS.length] as How }],
  sync: () => [{ do: 'heal' }, { do: 'advance', ms: SYNC_MS }],
  timeout: () => [{ do: 'advance', ms: LIFE_MS }],
  'end of life': () => [{ do: 'advance', ms: LIFE_MS }],
  compact: (_step, by) => [{ do: 'compact', by }],
  evict: (_step, by) => [{ do: 'forget', by }],
  crash: ({ a }, by) => [{ do: a % 3 === 0 ? 'kill' : 'restart', by }],
  view: ({ a }, by) => (a % 2 === 0 ? [{ do: 'cut', by }] : [{ do: 'heal' }]),
  loss: ({ a }) => (a % 2 === 0 ? [{ do: 'loseReply', which: a }] : LOST_FRAMES),
  rare: ({ a }) => [{ do: 'loseReply', which: a }],
}

const LOST_FRAMES: Step[] = [
  { do: 'network', loss: 1, delayMs: 1 },
  { do: 'advance', ms: 1 },
  { do: 'network', loss: 0, delayMs: 1 },
]

function writtenKind({ kind, through }: ModelConfig, a: number): 'w' | 't' | 'c' {
  if (kind === 'counter') return 'c'
  return through && a % 4 === 1 ? 't' : 'w'
}
