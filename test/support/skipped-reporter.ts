/** Says at the end which tests did not run. A skipped test looks like a passing one until somebody needs it. */
import type { Reporter, TestModule } from 'vitest/node'

export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped: string[] = []
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        const reason = result.state === 'skipped' && result.note !== undefined ? `: ${result.note}` : ''
        skipped.push(`  ${module.relativeModuleId} > ${test.fullName}${reason}`)
      }
    }
    if (skipped.length === 0) return
    console.warn(`\nNOT RUN: ${skipped.length} skipped\n${skipped.join('\n')}\n`)
  }
}
