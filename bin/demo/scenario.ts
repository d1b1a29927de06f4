/**
 * The story that the demo tells: three replicas write, are cut off from each other, write on, and meet again; one of them is closed
 * and opened from its disk on the way. Every check that it makes can fail, and then it says so.
 */
import { pageOfReasons, pageOfValues } from './pages.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { type Name, NAMES, DemoReplicas, type WrittenKey } from './replicas.ts'

/** Whether all replicas ended in the same state. */
export async function runScenario(): Promise<boolean> {
  const replicas = new DemoReplicas(temporaryFolder())
  try {
    for (const name of NAMES) await replicas.open(name)
    await together(replicas)
    await apart(replicas)
    const isSame = await reopen(replicas)
    const differing = await healed(replicas)
    await explained(replicas)
    return verdict(isSame, differing)
  } finally {
    await replicas.closeAll()
  }
}

async function together(replicas: DemoReplicas): Promise<void> {
  step('Three replicas with logs on disk. Each writes; what it writes reaches the others.')
  const [ann, ben, eve] = [replicas.at('ann'), replicas.at('ben'), replicas.at('eve')]
  await ann.key('doc:list').insert(0, 'milk')
  await ann.set('notes:7', 'ring twice')
  await ann.set('city:7', 'Paris')
  await ben.key('visits:home').increment(2)
  await ben.key('cart:7').add('apples', 'bread')
  await eve.key('visits:home').increment()
  await shownWhenConverged(replicas)
}

async function apart(replicas: DemoReplicas): Promise<void> {
  step('The network is cut: ann | ben, eve. Both sides write on.')
  replicas.network.partition([['ann'], ['ben', 'eve']])
  const [ann, ben, eve] = [replicas.at('ann'), replicas.at('ben'), replicas.at('eve')]
  await ann.key('doc:list').push(' and tea')
  await ben.key('doc:list').push(' for two')
  await ann.key('visits:home').increment(10)
  await eve.key('visits:home').decrement()
  await ann.key('cart:7').remove('apples', 'bread')
  await ben.key('cart:7').add('apples', 'pears')
  await eve.set('notes:7', 'no lift')
  await ann.set('notes:7', 'third floor')
  await ann.set('city:7', 'Lyon')
  await ben.set('city:7', 'Oslo')
  await replicas.converge(['ben', 'eve'])
  console.log(await pageOfValues(replicas))
}

async function reopen(replicas: DemoReplicas): Promise<boolean> {
  step('eve is closed and opened again from her disk, still cut off from ann.')
  const before = await replicas.canonical('eve')
  const { log } = replicas.at('eve').stats()
  await replicas.close('eve')
  await replicas.open('eve')
  const after = await replicas.canonical('eve')
  const changed = [...before].filter(([key, bytes]) => after.get(key) !== bytes).map(([key]) => key)
  console.log(
    `  ${log.operationsCount} operations, ${log.bytes} bytes of log: ${changed.length === 0 ? 'the same state, byte for byte' : `CHANGED: ${changed.join(', ')}`}`,
  )
  return changed.length === 0
}

/** The keys whose values are not the same everywhere. */
async function healed(replicas: DemoReplicas): Promise<WrittenKey[]> {
  step('The network is healed.')
  replicas.network.heal()
  await shownWhenConverged(replicas)
  const states = await Promise.all(NAMES.map((name: Name) => replicas.canonical(name)))
  const [first, ...others] = states
  if (first === undefined) return []
  return [...first.keys()].filter((key) => others.some((state) => state.get(key) !== first.get(key)))
}

async function explained(replicas: DemoReplicas): Promise<void> {
  step('Why? Two replicas wrote one register without knowing of each other, as ben explains it:')
  console.log(await pageOfReasons(replicas, 'ben', 'city:7'))
  step('And the merge function of our own, (old, next) => `${old}, ${next}`, as ann explains it:')
  console.log(await pageOfReasons(replicas, 'ann', 'notes:7'))
}

function verdict(isSame: boolean, differing: readonly WrittenKey[]): boolean {
  if (!isSame) console.log('\nFAILED: a replica came back from its disk with another state.')
  if (differing.length > 0) console.log(`\nFAILED: the replicas differ in ${differing.join(', ')}.`)
  const isFine = isSame && differing.length === 0
  if (isFine) console.log('\nEvery replica holds the same state, byte for byte.')
  return isFine
}

async function shownWhenConverged(replicas: DemoReplicas): Promise<void> {
  const elapsedMs = await replicas.converge()
  console.log(await pageOfValues(replicas))
  console.log(`  converged in ${elapsedMs.toFixed(1)} ms`)
}

function step(title: string): void {
  console.log(`\n${title}\n`)
}
