/**
 * The file port: what the log asks of a disk. Real files in Node (`adapters/file`), RAM
 * (`memory-files.ts`), the simulator's faulty disk, IndexedDB in a browser.
 *
 * Reading and writing are synchronous where the medium allows it (a `pread` from the page cache
 * costs 3 µs, a trip to the thread pool 60), so that a decision never has to wait in the middle;
 * flushing is always asynchronous.
 */
export interface LogFile {
  /** Bytes written so far or reserved. */
  readonly size: number
  /**
   * At most `length` bytes from `offset`; fewer at the end of the file. The caller may keep but not
   * change them.
   */
  read(offset: number, length: number): Uint8Array
  /**
   * Takes the bytes as far as the operating system, so that they survive the death of the process.
   * A promise where the medium is asynchronous. Throws what the medium throws (`code: 'ENOSPC'`,
   * `'EIO'`).
   */
  write(offset: number, bytes: Uint8Array): void | Promise<void>
  /**
   * Makes sure that writing up to `size` cannot fail for lack of space: zero-fills. Throws
   * `code: 'ENOSPC'`.
   */
  reserve(size: number): void
  /** Resolves when everything written before the call survives a power failure. */
  sync(): Promise<void>
  truncate(size: number): void
  close(): void
}

export interface LogFiles {
  /** `false` for RAM: nothing outlives the process and no acknowledgement goes beyond `memory`. */
  readonly persistent: boolean
  /**
   * Names a boot of the machine, where that can be known: tells a crashed process from a power
   * failure.
   */
  readonly bootId?: string | undefined
  /**
   * Names the place, where that can be known: another one means that the folder was copied or
   * restored from a backup.
   */
  readonly home?: string | undefined
  list(): string[]
  /** Opens an existing file. */
  open(name: string): LogFile
  /** Creates an empty file; the name must be free. */
  create(name: string): LogFile
  /** Replaces `to` if it exists, atomically. */
  rename(from: string, to: string): void
  remove(name: string): void
  /** Makes creations, renames and removals survive a power failure. */
  syncNames(): Promise<void>
  /**
   * Throws `WARP_E_LOG_LOCKED` if the place is not ours any more: it was moved, removed or
   * replaced, or somebody else has taken it. The log asks before it acknowledges what it has
   * written. Absent where that cannot happen.
   */
  assertHeld?(): void
  /** Lets go of the folder and its lock. Files are closed by then. */
  close(): Promise<void>
}

/**
 * What `openWarp({ log })` takes: opens the medium, for this process alone. Throws
 * `WARP_E_LOG_LOCKED`.
 */
export interface LogStore {
  readonly name: string
  /** The folder that it keeps, where it keeps one: a control socket has its place there. */
  readonly folder?: string
  open(): Promise<LogFiles>
}
