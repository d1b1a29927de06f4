/**
 * A disk of a given size, to be filled: a tmpfs, mounted in a mount namespace of its own.
 *
 * The namespace is that of a child which waits for the end of its input, and is reached through
 * `/proc/<pid>/root`, from other processes as well. So nothing is ever mounted where the machine
 * would see it, and nothing stays: when the child goes, because it is let go or because its parent
 * was killed, the namespace goes, and the disk with it, whatever files of it are open.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Its parameters are the folder and the size; the child turns into `cat`, under the same process id. */
const MOUNT = 'mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" && echo mounted && exec cat'

export interface MountedDisk {
  readonly path: string
  letGo(): Promise<void>
}

/** Over an empty folder; or why there can be no such disk on this machine. */
export async function mountDisk(folder: string, bytes: number): Promise<MountedDisk | { readonly whyNot: string }> {
  if (process.platform !== 'linux') return { whyNot: 'mount namespaces are a thing of Linux' }
  if (process.getuid?.() !== 0) return { whyNot: 'mounting needs root' }
  const holder = spawn('unshare', ['--mount', 'sh', '-c', MOUNT, 'sh', folder, String(bytes)], { stdio: 'pipe' })
  let said = ''
  const ended = once(holder, 'close').catch((error: unknown) => (said += String(error)))
  for (const stream of [holder.stdout, holder.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  await Promise.race([once(holder.stdout, 'data'), ended])
  if (said !== 'mounted\n') return { whyNot: `a tmpfs cannot be mounted here: ${said.trim()}` }
  return {
    path: `/proc/${holder.pid}/root${folder}`,
    letGo: async () => {
      holder.stdin.end()
      await ended
    },
  }
}
