/** What acknowledgements rest on cannot be said wrongly: stored up to here goes up, and never beyond what there is. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { emptySegment } from '../../src/log/segments/segment.ts'
import { SegmentMemory } from '../../src/log/segments/segment-memory.ts'
import { SegmentSet } from '../../src/log/segments/segment-set.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { refusal } from './log-fixture.ts'

function logOf(bytes: number): { segments: SegmentSet; base: number } {
  const segments = new SegmentSet(
    memoryFiles({ persistent: true }),
    FORMAT_VERSION,
    new SegmentMemory(4096, virtualEnv()),
  )
  const segment = emptySegment({ number: 1, salt: 7, rewrittenAt: 0, format: FORMAT_VERSION }, new Uint8Array(4096))
  segment.end = bytes
  segments.add(segment)
  return { segments, base: segment.base }
}

test('what is stored lies within the log, durable within logged, and neither goes back', () => {
  const { segments, base } = logOf(1000)
  const code = 'WARP_E_PROTOCOL'
  expect(refusal(() => segments.noteLogged(base + 1001))).toMatchObject({ code })
  segments.noteLogged(base + 900)
  expect(refusal(() => segments.noteLogged(base + 899))).toMatchObject({ code })
  expect(refusal(() => segments.noteDurable(base + 901))).toMatchObject({ code })
  segments.noteDurable(base + 800)
  expect(refusal(() => segments.noteDurable(base + 799))).toMatchObject({ code })
  expect(segments).toMatchObject({ loggedThrough: base + 900, durableThrough: base + 800 })
})

test('nothing of an open group is logged', () => {
  const { segments, base } = logOf(1000)
  segments.groupFrom = base + 500
  expect(refusal(() => segments.noteLogged(base + 501))).toMatchObject({ code: 'WARP_E_PROTOCOL' })
  segments.noteLogged(base + 500)
})
