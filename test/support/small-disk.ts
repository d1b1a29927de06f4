/**
 * A disk of a megabyte or so, to be filled: a tmpfs, mounted in a mount namespace of its own.
 *
 * The namespace is that of a child which waits for the end of its input, and is reached through `/proc/<pid>/root`, from other processes as
 * well. So nothing is ever mounted where the machine would see it, and nothing stays: when the child goes, because the test is
 * over or because whoever runs it was killed, the namespace goes, and the disk with it, whatever files of it are open.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

/** Its parameters are the folder and the size; the child turns into `cat`, under the same process id. */
const MOUNT = 'mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" && echo mounted && exec cat'

export type SmallDisk = { readonly path: string } | { readonly whyNot: string }

/** An empty one for this test; or why there can be none on this machine. */
export async function smallDisk(bytes: number): Promise<SmallDisk> {
  if (process.platform !== 'linux') return { whyNot: 'mount namespaces are a thing of Linux' }
  if (process.getuid?.() !== 0) return { whyNot: 'mounting needs root' }
  const folder = temporaryFolder()
  const holder = spawn('unshare', ['--mount', 'sh', '-c', MOUNT, 'sh', folder, String(bytes)], { stdio: 'pipe' })
  let said = ''
  const ended = once(holder, 'close').catch((error: unknown) => (said += String(error)))
  for (const stream of [holder.stdout, holder.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  await Promise.race([once(holder.stdout, 'data'), ended])
  if (said !== 'mounted\n') return { whyNot: `a tmpfs cannot be mounted here: ${said.trim()}` }
  onTestFinished(async () => {
    holder.stdin.end()
    await ended
  })
  return { path: `/proc/${holder.pid}/root${folder}` }
}
