/**
 * The story that the demo tells: three processes write, one is cut off from the network while both
 * sides write on, another is killed in the middle of its writes and comes back from its disk, and
 * then the network is healed. Every check that it makes can fail, and then it says so.
 */
import type { Dot, PeerReport } from '../../adapters/node/index.ts'
import { LOGIN_CODE_TTL_MS, type Name, NAMES } from './replicas/keys.ts'
import { failure, pageOfPeers, pageOfReasons, pageOfValues, success, title } from './pages.ts'
import { DemoReplicas } from './replicas/replicas.ts'
import type { Stage } from './stage.ts'
import { until } from './until.ts'

/** Writes that the victim has had acknowledged when it is killed; more may be under way. */
const ACKNOWLEDGED_BEFORE_KILL = 250

/** Whether it ended as it should. */
export async function runScenario(stage: Stage): Promise<boolean> {
  const startMs = performance.now()
  const replicas = await started(stage)
  await together(replicas)
  await apart(replicas)
  await killed(replicas)
  const faults = [...(await returned(replicas)), ...(await healed(replicas))]
  await explained(replicas)
  await replicas.closeAll()
  for (const fault of faults) console.log(`\n${failure(fault)}`)
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  if (faults.length === 0) {
    const verdict = 'Every replica holds the same state, byte for byte, and every write that was acknowledged.'
    console.log(`\n${success(verdict)} (${seconds} s in all)`)
  }
  return faults.length === 0
}

async function started(stage: Stage): Promise<DemoReplicas> {
  step(
    'Three processes with logs on disk, and a mesh between them: UDP and TCP on 127.0.0.1, encrypted under a new key.',
  )
  const replicas = await DemoReplicas.start(stage)
  const rows = NAMES.map((name) => `  ${name}  process ${replicas.at(name).pid}, ${replicas.addressOf(name)}`)
  console.log(`${rows.join('\n')}\n`)
  const elapsedMs = await timed(() => replicas.meet())
  console.log(await pageOfPeers(replicas))
  console.log(`  met in ${elapsedMs} ms`)
  return replicas
}

async function together(replicas: DemoReplicas): Promise<void> {
  step('Each writes; what it writes reaches the others.')
  await Promise.all([
    replicas.write(
      'ann',
      { kind: 'doc-end', text: 'milk' },
      { kind: 'note', note: 'ring twice' },
      { kind: 'session', session: { user: 'Ada', page: 'home' } },
      { kind: 'login-code', code: '4711' },
    ),
    replicas.write('ben', { kind: 'visits', by: 2 }, { kind: 'cart', change: 'add', items: ['apples', 'bread'] }),
    replicas.write('eve', { kind: 'visits', by: 1 }),
  ])
  await showConverged(replicas)
  console.log(`  login-code:7 lives for ${LOGIN_CODE_TTL_MS} ms`)
}

async function apart(replicas: DemoReplicas): Promise<void> {
  step('ann is cut off from the network. Both sides write on.')
  await replicas.at('ann').call('cut', undefined)
  await Promise.all([
    replicas.write(
      'ann',
      { kind: 'doc-end', text: ' and tea' },
      { kind: 'visits', by: 10 },
      { kind: 'cart', change: 'remove', items: ['apples', 'bread'] },
      { kind: 'note', note: 'third floor' },
      { kind: 'session', session: { user: 'Ada', page: 'cart' } },
    ),
    replicas.write(
      'ben',
      { kind: 'doc-end', text: ' for two' },
      { kind: 'cart', change: 'add', items: ['apples', 'pears'] },
      { kind: 'session', session: { user: 'Ada', page: 'payment' } },
    ),
    replicas.write(
      'eve',
      { kind: 'doc', index: 0, text: 'oat ' },
      { kind: 'visits', by: 4 },
      { kind: 'note', note: 'no lift' },
    ),
  ])
  await replicas.converge(['ben', 'eve'])
  console.log(await pageOfValues(replicas))
  const isCut = ({ observer, peer }: Sight): boolean => observer === 'ann' || peer === 'ann'
  const elapsedMs = await timed(() => untilSeen(replicas, (sight) => isCut(sight) !== (sight.state === 'up')))
  console.log(`\n${await pageOfPeers(replicas)}`)
  console.log(`  noticed everywhere within another ${elapsedMs} ms`)
}

async function killed(replicas: DemoReplicas): Promise<void> {
  step('eve is killed (SIGKILL) while she counts visits. ann and ben write on, each of them alone now.')
  const former = replicas.acknowledgedBy('eve').length
  await replicas.at('eve').call('keepCounting', undefined)
  const hasCounted = async (): Promise<boolean> =>
    replicas.acknowledgedBy('eve').length >= former + ACKNOWLEDGED_BEFORE_KILL
  await until(hasCounted, 'eve to count visits')
  await replicas.at('eve').kill()
  await replicas.write('ben', { kind: 'note', note: 'mind the dog' })
  await replicas.write('ann', { kind: 'visits', by: 1 })
  const alone: readonly Name[] = ['ann', 'ben']
  const elapsedMs = await timed(() => untilSeen(replicas, ({ state }) => state === 'down', alone))
  console.log(await pageOfPeers(replicas, alone))
  console.log(`  given up after ${elapsedMs} ms`)
}

/** What went wrong, if anything. */
async function returned(replicas: DemoReplicas): Promise<string[]> {
  step('eve is started again, without a network: what she has now, she has from her disk.')
  await replicas.start('eve', { isCut: true })
  const acknowledged = replicas.acknowledgedBy('eve')
  const missing = await replicas.missingAt('eve', acknowledged)
  const { held, logBytes } = await replicas.status('eve')
  const inLog = new Map(held.map(([id, count]) => [replicas.nameOf(id), count])).get('eve') ?? 0
  console.log(
    `  eve had ${acknowledged.length} writes acknowledged; ${acknowledged.length - missing.length} of them are in her log, ` +
      `which has ${inLog} of hers in ${logBytes} bytes`,
  )
  return missing.length === 0 ? [] : [`eve had acknowledged ${missing.join(', ')}, which her disk does not have.`]
}

/** What went wrong, if anything. */
async function healed(replicas: DemoReplicas): Promise<string[]> {
  step('The network is healed.')
  for (const name of ['ann', 'eve'] as const) await replicas.at(name).call('heal', undefined)
  await showConverged(replicas)
  await replicas.meet()
  console.log(`\n${await pageOfPeers(replicas)}`)
  const faults: string[] = []
  const differing = await replicas.differingKeys()
  if (differing.length > 0) faults.push(`the replicas differ in ${differing.join(', ')}.`)
  const acknowledged = NAMES.flatMap((name): Dot[] => replicas.acknowledgedBy(name))
  for (const name of NAMES) {
    const missing = await replicas.missingAt(name, acknowledged)
    if (missing.length > 0) faults.push(`${name} does not have ${missing.join(', ')}, which had been acknowledged.`)
  }
  return faults
}

async function explained(replicas: DemoReplicas): Promise<void> {
  step('Why? Two replicas wrote one register without knowing of each other, as ben explains it:')
  console.log(await pageOfReasons(replicas, 'ben', 'session:7'))
  step('And the merge function of our own, (old, next) => `${old}, ${next}`, as ann explains it:')
  console.log(await pageOfReasons(replicas, 'ann', 'notes:7'))
}

async function showConverged(replicas: DemoReplicas): Promise<void> {
  const elapsedMs = await timed(() => replicas.converge())
  console.log(await pageOfValues(replicas))
  console.log(`  converged in ${elapsedMs} ms`)
}

/** A peer, as one of the replicas sees it. */
interface Sight {
  readonly observer: Name
  readonly peer: string
  readonly state: PeerReport['state']
}

/** Waits until that holds of whatever each of these sees. */
async function untilSeen(
  replicas: DemoReplicas,
  holds: (sight: Sight) => boolean,
  observers: readonly Name[] = NAMES,
): Promise<void> {
  const hold = async (observer: Name): Promise<boolean> => {
    const { peers } = await replicas.status(observer)
    return peers.every(({ address, state }) => holds({ observer, peer: replicas.nameAt(address), state }))
  }
  const allHold = async (): Promise<boolean> => (await Promise.all(observers.map(hold))).every(Boolean)
  await until(allHold, 'the mesh to notice who is gone')
}

async function timed(run: () => Promise<void>): Promise<string> {
  const startMs = performance.now()
  await run()
  return (performance.now() - startMs).toFixed(0)
}

function step(text: string): void {
  console.log(title(text))
}
