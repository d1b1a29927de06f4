/** A disk of a megabyte or so for one test, to be filled (test/support/mounted-disk.ts). */
import { onTestFinished } from 'vitest'
import { mountDisk } from './mounted-disk.ts'
import { temporaryFolder } from './temporary-folder.ts'

export type SmallDisk = { readonly path: string } | { readonly whyNot: string }

/** An empty one for this test; or why there can be none on this machine. */
export async function smallDisk(bytes: number): Promise<SmallDisk> {
  const disk = await mountDisk(temporaryFolder(), bytes)
  if ('whyNot' in disk) return disk
  onTestFinished(() => disk.letGo())
  return { path: disk.path }
}
