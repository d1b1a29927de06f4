/**
 * One file of the log by its descriptor. Reads and writes are synchronous, since a `pread` from the
 * page cache takes 3 µs and a trip to the thread pool 60; a flush takes the disk's time and
 * therefore goes to the pool.
 *
 * `reserve` writes real zeros: blocks that were allocated but never written (`fallocate`, which
 * Node lacks anyway) would still need their extents converted at the flush that follows. With the
 * zeros in place, `fdatasync` has no metadata to write, which is worth 1.4-1.6 times the throughput
 * of group commit on ext4.
 */
import { closeSync, fdatasync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs'
import type { LogFile } from '../../src/ports/files.ts'

const ZEROS: Uint8Array = new Uint8Array(256 * 1024)

export class DiskFile implements LogFile {
  readonly #fd: number
  readonly #onClose: () => void
  #size: number
  #syncCount = 0
  #closed = false

  /**
   * Takes over the descriptor. `onClose` is called when it has been closed, which is after the last
   * flush under way.
   */
  constructor(fd: number, onClose: () => void) {
    this.#fd = fd
    this.#onClose = onClose
    this.#size = fstatSync(fd).size
  }

  get size(): number {
    return this.#size
  }

  read(offset: number, length: number): Uint8Array {
    this.#assertOpen('read')
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#size - offset)))
    let count = 0
    while (count < bytes.length) {
      const got = again(() => readSync(this.#fd, bytes, count, bytes.length - count, offset + count))
      if (got === 0) return bytes.subarray(0, count) // somebody has cut the file behind our back
      count += got
    }
    return bytes
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#assertOpen('write')
    let count = 0
    while (count < bytes.length) {
      count += again(() => writeSync(this.#fd, bytes, count, bytes.length - count, offset + count))
      this.#size = Math.max(this.#size, offset + count)
    }
  }

  reserve(size: number): void {
    this.#assertOpen('reserve')
    const before = this.#size
    try {
      while (this.#size < size) this.write(this.#size, ZEROS.subarray(0, Math.min(ZEROS.length, size - this.#size)))
    } catch (cause) {
      // What was obtained is of no use, and others need the space.
      this.truncate(before)
      throw cause
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#assertOpen('fdatasync')
      this.#syncCount++
      fdatasync(this.#fd, (error) => {
        this.#syncCount--
        if (this.#closed && this.#syncCount === 0) this.#release()
        if (error === null) resolve()
        else reject(error)
      })
    })
  }

  truncate(size: number): void {
    this.#assertOpen('ftruncate')
    again(() => ftruncateSync(this.#fd, size))
    this.#size = size
  }

  /**
   * The descriptor outlives a flush under way: its number could otherwise name another file by the
   * time that the pool uses it.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#syncCount === 0) this.#release()
  }

  #release(): void {
    try {
      closeSync(this.#fd)
    } finally {
      this.#onClose()
    }
  }

  #assertOpen(call: string): void {
    if (this.#closed)
      throw Object.assign(new Error(`EBADF: the file is closed, ${call}`), { code: 'EBADF', syscall: call })
  }
}

/**
 * A signal may interrupt a call before it has done anything. libuv repeats most calls by itself,
 * reads it does not.
 */
function again<Result>(call: () => Result): Result {
  for (;;) {
    try {
      return call()
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EINTR') throw cause
    }
  }
}
