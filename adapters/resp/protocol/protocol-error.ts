/** What somebody sends is no request: told in the words of Redis, and then the connection is closed. */
export class ProtocolError extends Error {
  /** Whoever sent it is told nothing: a browser that was made to speak to this port. */
  readonly isSilent: boolean

  constructor(problem: string, isSilent = false) {
    super(`Protocol error: ${problem}`)
    this.isSilent = isSilent
  }
}
