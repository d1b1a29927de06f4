/**
 * The file port in RAM: the executable specification of `LogFiles`.
 *
 * By default it says that it keeps nothing (`persistent: false`), and the log then never writes to
 * it at all. With `persistent: true` it plays a disk that never fails, on which the log does
 * everything it does on a real one.
 */
import type { LogFile, LogFiles } from '../../ports/files.ts'
import { WarpError } from '../../../crdt/warp-error.ts'

export interface MemoryFilesOptions {
  /** Default `false`. */
  readonly persistent?: boolean
  readonly bootId?: string
  readonly home?: string
}

/**
 * What `memoryFiles` gives beyond the port: a look at the bytes, and a copy of the whole for
 * another opening.
 */
export interface MemoryFiles extends LogFiles {
  /** The bytes of one file, for a test to damage: not copied. */
  bytes(name: string): Uint8Array
  /**
   * An independent copy, as after a crash of the process: what was written is there, nothing is
   * open.
   */
  copy(options?: MemoryFilesOptions): MemoryFiles
}

class MemoryFile implements LogFile {
  bytes: Uint8Array<ArrayBuffer>
  size: number
  /** The bytes are another file's as well, and are copied before they are changed. */
  shared: boolean

  constructor(bytes: Uint8Array<ArrayBuffer>, shared: boolean) {
    this.bytes = bytes
    this.size = bytes.length
    this.shared = shared
  }

  /** The content, to be changed in place. */
  own(): Uint8Array<ArrayBuffer> {
    if (this.shared) this.bytes = this.bytes.slice(0, this.size)
    this.shared = false
    return this.bytes.subarray(0, this.size)
  }

  read(offset: number, length: number): Uint8Array {
    return this.bytes.slice(offset, Math.min(offset + length, this.size))
  }

  write(offset: number, bytes: Uint8Array): void {
    this.reserve(offset + bytes.length)
    this.own().set(bytes, offset)
  }

  reserve(size: number): void {
    if (size <= this.size) return
    this.own()
    if (size > this.bytes.length) {
      const larger = new Uint8Array(Math.max(size, this.bytes.length * 2))
      larger.set(this.bytes.subarray(0, this.size))
      this.bytes = larger
    }
    this.size = size
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  truncate(size: number): void {
    this.reserve(size)
    if (!this.shared) this.bytes.fill(0, size, this.size)
    this.size = size
  }

  close(): void {
    // Nothing is held: the bytes belong to the folder.
  }
}

class MemoryFolder implements MemoryFiles {
  readonly persistent: boolean
  readonly bootId: string | undefined
  readonly home: string | undefined
  readonly #options: MemoryFilesOptions
  readonly #files = new Map<string, MemoryFile>()

  constructor(options: MemoryFilesOptions) {
    this.#options = options
    this.persistent = options.persistent ?? false
    this.bootId = options.bootId
    this.home = options.home
  }

  list(): string[] {
    return [...this.#files.keys()]
  }

  open(name: string): LogFile {
    return this.#find(name)
  }

  create(name: string): LogFile {
    if (this.#files.has(name)) throw new WarpError('WARP_E_STORAGE', `file ${name} exists already`)
    const file = new MemoryFile(new Uint8Array(0), false)
    this.#files.set(name, file)
    return file
  }

  rename(from: string, to: string): void {
    const file = this.#find(from)
    this.#files.delete(from)
    this.#files.set(to, file)
  }

  remove(name: string): void {
    this.#find(name)
    this.#files.delete(name)
  }

  syncNames(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  bytes(name: string): Uint8Array {
    return this.#find(name).own()
  }

  copy(options: MemoryFilesOptions = {}): MemoryFiles {
    const folder = new MemoryFolder({ ...this.#options, ...options })
    for (const [name, file] of this.#files) {
      file.shared = true
      folder.#files.set(name, new MemoryFile(file.bytes.subarray(0, file.size), true))
    }
    return folder
  }

  #find(name: string): MemoryFile {
    const file = this.#files.get(name)
    if (file === undefined) throw new WarpError('WARP_E_STORAGE', `no file ${name}`)
    return file
  }
}

/** A folder in RAM. */
export function memoryFiles(options: MemoryFilesOptions = {}): MemoryFiles {
  return new MemoryFolder(options)
}
