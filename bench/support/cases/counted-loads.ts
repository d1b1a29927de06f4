/** Case C: processes of their own, whose callers all want one cold key at once. */
import { freePorts } from '../../../bin/demo/replicas/free-ports.ts'
import { ChildProgram } from '../../../test/support/child-program.ts'
import type { CaseProgram } from '../../case-process.ts'
import type { CaseWorld } from './caching-cases.ts'

const PROCESSES = 4
const CALLERS = 25
const LOAD_MS = 300

/** How often the source was asked by all of them. */
export async function countedLoads({ contestant, isPatient: _, ...world }: CaseWorld): Promise<number> {
  const ports = await freePorts(PROCESSES)
  const programs = ports.map(() => new ChildProgram<CaseProgram>('bench/case'))
  try {
    const open = (program: ChildProgram<CaseProgram>, i: number): Promise<void> => {
      const ownFirst = [...ports.slice(i), ...ports.slice(0, i)]
      return program.ask('open', { ...world, contestant: contestant.name, loadMs: LOAD_MS, ports: ownFirst })
    }
    await Promise.all(programs.map(open))
    const counts = await Promise.all(programs.map((program) => program.ask('read', { callers: CALLERS })))
    return counts.reduce((sum, count) => sum + count, 0)
  } finally {
    await Promise.all(programs.map((program) => program.end('SIGKILL')))
  }
}
