/**
 * Messages of channels, out and in. A message is one frame, broadcast over every transport; whoever
 * gets it twice tells it once (`src/channels/arrivals.ts`). Peers that have said that they do not read
 * messages are left out. With each round the last numbers of channels in use are told, so that the loss
 * of a last message is noticed too.
 */
import { HEADS_PER_FRAME_MAX } from '../../limits.ts'
import type { MessageReceiver, MessageTalkPort, SentMessage, ToldHead } from '../../ports/talk/message-talk.ts'
import type { ReplicationObserver } from '../events.ts'
import type { Link, Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'

export interface MessageTalkParts {
  readonly post: Post
  readonly peers: Peers
  readonly observe: ReplicationObserver
}

export class MessageTalk implements MessageTalkPort {
  readonly #parts: MessageTalkParts
  #receiver: MessageReceiver | undefined

  constructor(parts: MessageTalkParts) {
    this.#parts = parts
  }

  connect(receiver: MessageReceiver): void {
    this.#receiver = receiver
  }

  tell(message: SentMessage): void {
    const { post, observe } = this.#parts
    const frame = post.encoder.message(message)
    for (const via of post.links) {
      if (frame.length <= via.link.frameBytesMax) this.#spread(via, frame)
      else observe({ kind: 'message:oversize', transport: via.name, channel: message.channel, bytes: frame.length })
    }
  }

  /** With each round. */
  beat(): void {
    const heads: ToldHead[] = [...(this.#receiver?.heads() ?? [])]
    const { post } = this.#parts
    for (let from = 0; from < heads.length; from += HEADS_PER_FRAME_MAX) {
      const frame = post.encoder.messageHeads(heads.slice(from, from + HEADS_PER_FRAME_MAX))
      for (const via of post.links) this.#spread(via, frame)
    }
  }

  /** A peer has come up, perhaps again: what it has missed meanwhile it is to know. */
  met(peer: Peer): void {
    const heads = [...(this.#receiver?.lastHeads(HEADS_PER_FRAME_MAX) ?? [])]
    const { post } = this.#parts
    if (heads.length > 0 && mayRead(peer)) post.send(peer, post.encoder.messageHeads(heads))
  }

  message({ sender }: Peer, message: SentMessage): void {
    if (sender !== undefined) this.#receiver?.message(sender, message)
  }

  heads({ sender }: Peer, heads: readonly ToldHead[]): void {
    if (sender === undefined) return
    for (const head of heads) this.#receiver?.head(sender, head)
  }

  /** To all whom the transport reaches, unless one of them is known not to read it. */
  #spread(via: Link, frame: Uint8Array): void {
    const { post, peers } = this.#parts
    const up = [...peers.all()].filter((peer) => peer.via === via && peer.isUp)
    if (up.every(mayRead)) post.broadcastOver(via, frame)
    else for (const peer of up) if (mayRead(peer)) post.send(peer, frame)
  }
}

/** Who has not said anything yet is told: what it does not know it leaves alone. */
function mayRead({ hello }: Peer): boolean {
  return hello?.readsMessages !== false
}
