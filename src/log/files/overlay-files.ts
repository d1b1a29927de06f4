/**
 * A folder that can be written without being changed: files are read from the one below until they
 * are written, and from then on from a copy in RAM. So the log, which repairs and marks what it
 * opens, can be opened to be looked at, and the engine can be asked what it would do. What is
 * written is forgotten with the overlay. Costs the size of every file that is written: of a log,
 * its last segment.
 */
import { WarpError } from '../../../crdt/warp-error.ts'
import type { LogFile, LogFiles, LogStore } from '../../ports/files.ts'
import { memoryFiles, type MemoryFiles } from './memory-files.ts'

export interface OverlayOptions {
  /** Files below that are not to be seen. Default: none. */
  readonly hides?: (name: string) => boolean
  /** Whether closing the overlay closes the folder below as well. Default `false`. */
  readonly closesBelow?: boolean
}

/** Lays RAM over a folder. The folder below must not be written meanwhile. */
export function overlayFiles(below: LogFiles, options: OverlayOptions = {}): LogFiles {
  return new Overlay(below, options)
}

/**
 * The same log, opened without being changed: for a look at it, or to try what writes or other key
 * patterns would make of it. What is written is gone when it is closed.
 */
export function overlayLog(store: LogStore): LogStore {
  return {
    name: store.name,
    open: async () => overlayFiles(await store.open(), { closesBelow: true }),
  }
}

class Overlay implements LogFiles {
  readonly persistent: boolean
  readonly bootId: string | undefined
  readonly home: string | undefined
  readonly #below: LogFiles
  readonly #closesBelow: boolean
  readonly #above: MemoryFiles = memoryFiles({ persistent: true })
  /** Names of the files in RAM. */
  readonly #names = new Set<string>()
  /** Names below that were removed, renamed or hidden. */
  readonly #gone = new Set<string>()

  constructor(below: LogFiles, { hides, closesBelow = false }: OverlayOptions) {
    this.#below = below
    this.#closesBelow = closesBelow
    this.persistent = below.persistent
    this.bootId = below.bootId
    this.home = below.home
    if (hides !== undefined) for (const name of below.list()) if (hides(name)) this.#gone.add(name)
  }

  list(): string[] {
    return [...new Set([...this.#below.list().filter((name) => !this.#gone.has(name)), ...this.#names])].sort()
  }

  open(name: string): LogFile {
    if (this.#names.has(name)) return this.#above.open(name)
    if (this.#gone.has(name)) throw new WarpError('WARP_E_STORAGE', `no file ${name}`)
    return new OverlayFile(this.#below.open(name), {
      current: () => (this.#names.has(name) ? this.#above.open(name) : undefined),
      create: () => this.#add(name),
    })
  }

  create(name: string): LogFile {
    if (!this.#names.has(name) && this.list().includes(name))
      throw new WarpError('WARP_E_STORAGE', `file ${name} exists already`)
    return this.#add(name)
  }

  rename(from: string, to: string): void {
    if (!this.#names.has(from)) this.#lift(from)
    this.#above.rename(from, to)
    this.#names.delete(from)
    this.#names.add(to)
    this.#gone.add(from)
  }

  remove(name: string): void {
    if (this.#names.delete(name)) this.#above.remove(name)
    else if (!this.list().includes(name)) throw new WarpError('WARP_E_STORAGE', `no file ${name}`)
    this.#gone.add(name)
  }

  syncNames(): Promise<void> {
    return Promise.resolve()
  }

  async close(): Promise<void> {
    if (this.#closesBelow) await this.#below.close()
  }

  #add(name: string): LogFile {
    const file = this.#above.create(name)
    this.#names.add(name)
    return file
  }

  #lift(name: string): void {
    const file = this.open(name)
    void file.write(file.size, new Uint8Array(0))
    file.close()
  }
}

interface Above {
  /** The copy in RAM, once there is one. */
  readonly current: () => LogFile | undefined
  readonly create: () => LogFile
}

class OverlayFile implements LogFile {
  readonly #below: LogFile
  readonly #above: Above
  #copy: LogFile | undefined

  constructor(below: LogFile, above: Above) {
    this.#below = below
    this.#above = above
  }

  get size(): number {
    return this.#file.size
  }

  read(offset: number, length: number): Uint8Array {
    return this.#file.read(offset, length)
  }

  write(offset: number, bytes: Uint8Array): void {
    void this.#own().write(offset, bytes) // in RAM: done when the call returns
  }

  reserve(size: number): void {
    if (size > this.size) this.#own().reserve(size)
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  truncate(size: number): void {
    this.#own().truncate(size)
  }

  close(): void {
    this.#below.close()
  }

  /** Another handle of the same file may have made the copy. */
  get #file(): LogFile {
    return (this.#copy ??= this.#above.current()) ?? this.#below
  }

  #own(): LogFile {
    const present = this.#file
    if (present !== this.#below) return present
    const copy = this.#above.create()
    void copy.write(0, this.#below.read(0, this.#below.size))
    return (this.#copy = copy)
  }
}
