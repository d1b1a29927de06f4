/**
 * A rolling upgrade: machines are started one by one as a build that reads one format more, which
 * is pretended, while the cluster runs, and some are taken back. The walk leads forward more often
 * than back, so most runs come to the end of it, where the cluster begins to write the later
 * format. From there the way back is refused, by the folder or by the other members; a machine that
 * is refused is upgraded again, as an operator would.
 */
import { FORMAT_VERSION } from '../../../src/operation/envelope/format.ts'
import type { Random } from '../../world/random.ts'
import type { Machine } from '../machine.ts'
import type { World } from '../world.ts'
import { type Fault, type FaultContext, logUniform } from './fault.ts'

/** The format that the later build pretends to have. */
export const LATER_FORMAT: number = FORMAT_VERSION + 1

const FORWARD = 0.8
/** In so many runs the upgrade is completed when the faults end. */
const COMPLETED = 0.5

export const MIXED_VERSIONS: Fault = {
  everyMs: [2000, 12_000],
  begin: (context) => {
    if (context.random.chance(COMPLETED))
      context.until(context.endMs - context.world.nowMs, () => complete(context.world))
  },
  strike: (context) => {
    const { world, random } = context
    const isForward = random.chance(FORWARD)
    const candidates = world.up().filter(({ format }) => (format === LATER_FORMAT) !== isForward)
    if (candidates.length === 0) return false
    const machine = random.pick(candidates)
    world.struck('mixed versions', `${machine.name} ${isForward ? 'forward' : 'back'}`)
    machine.format = isForward ? LATER_FORMAT : FORMAT_VERSION
    exchange(context, machine)
    return true
  },
}

/** The build is exchanged: in order or not, the process ends, and another one takes the folder. */
function exchange(context: FaultContext, machine: Machine): void {
  const { random } = context
  const afterMs = logUniform(random, 10, 3000)
  if (random.chance(0.5)) {
    machine.end(pickEnding(random))
    context.restart(machine, afterMs)
  } else void machine.close().then(() => context.restart(machine, afterMs))
}

function pickEnding(random: Random): 'killed' | 'power failure' {
  return random.chance(0.8) ? 'killed' : 'power failure'
}

/** Everybody who is left is upgraded. Who is down is started by those who make everything good. */
function complete({ machines }: World): void {
  for (const machine of machines) {
    if (machine.hasLeft || machine.format === LATER_FORMAT) continue
    machine.format = LATER_FORMAT
    if (machine.isAlive) machine.end('killed')
  }
}
