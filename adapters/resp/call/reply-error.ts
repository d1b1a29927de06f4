/** Refusals in the words of Redis, which clients compare. */

export class ReplyError extends Error {
  /** A binary string, its code first. */
  readonly text: string

  constructor(text: string) {
    super(text)
    this.text = text
  }
}

export function wrongType(): ReplyError {
  return new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value')
}

export function syntaxError(): ReplyError {
  return new ReplyError('ERR syntax error')
}

export function notWhole(): ReplyError {
  return new ReplyError('ERR value is not an integer or out of range')
}

export function notFloat(): ReplyError {
  return new ReplyError('ERR value is not a valid float')
}

export function noSuchKey(): ReplyError {
  return new ReplyError('ERR no such key')
}

/** `command` in lower case. */
export function wrongExpiry(command: string): ReplyError {
  return new ReplyError(`ERR invalid expire time in '${command}' command`)
}
