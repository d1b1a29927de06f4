/** One replica of a contestant in a process of its own, for case C of data-layer-cases. */
import { CONTESTANTS } from './support/rivals/contestants.ts'
import type { Cluster } from './support/rivals/contestant.ts'
import { Source } from './support/rivals/source.ts'
import { serve } from '../test/support/child-program.ts'

interface Opening {
  readonly contestant: string
  readonly prefix: string
  readonly redisUrl?: string
  readonly loadMs: number
  readonly ports: readonly number[]
}

const source = new Source()
let cluster: Cluster

const verbs = {
  async open({ contestant, loadMs, ...options }: Opening): Promise<void> {
    source.set('1', 'value')
    source.delayMs = loadMs
    const found = CONTESTANTS.find(({ name }) => name === contestant)
    if (found === undefined) throw new Error(`there is no ${contestant}`)
    cluster = await found.open({ count: 1, source, ...options })
  },

  /** So many callers read the key at once; gives how often that asked the source. */
  async read({ callers }: { callers: number }): Promise<number> {
    await Promise.all(Array.from({ length: callers }, () => cluster.replicas[0]!.read('1')))
    return source.loadsCount
  },
}

/** What the bench may ask this program. */
export type CaseProgram = typeof verbs

serve(verbs)
