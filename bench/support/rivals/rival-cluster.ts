/** What the clusters of all rivals have in common: each replica has links of its own to one Redis. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Cluster, ClusterOptions, Replica } from './contestant.ts'
import { RedisLinks } from './redis-links.ts'

/** One replica, as its own library would have it. */
export interface RivalReplica extends Omit<Replica, 'holdAnswers' | 'release' | 'cutOff' | 'rejoin'> {
  close(): Promise<unknown>
}

export type OpenRival = (options: ClusterOptions, links: RedisLinks | undefined) => Promise<RivalReplica>

/** Subscriptions are not acknowledged to those who asked for them. */
const SUBSCRIBED_MS = 200
/** Some clients wait for a server that is gone. */
const CLOSE_MS = 2000

export async function openRivals(options: ClusterOptions, open: OpenRival): Promise<Cluster> {
  const { count, redisUrl, isRedisAway = false } = options
  const links: RedisLinks[] = []
  const opened: RivalReplica[] = []
  for (let i = 0; i < count; i++) {
    const link = redisUrl === undefined ? undefined : await RedisLinks.open(redisUrl, isRedisAway)
    if (link !== undefined) links.push(link)
    opened.push(await open(options, link))
  }
  await pause(SUBSCRIBED_MS)
  return {
    replicas: opened.map((replica, i) => ({
      ...replica,
      holdAnswers: () => links[i]?.holdAnswers(),
      release: () => links[i]?.release(),
      cutOff: () => links[i]?.cutOff(),
      rejoin: () => links[i]?.rejoin(),
    })),
    appear: async () => {
      for (const link of links) await link.appear()
    },
    close: async () => {
      for (const link of links) link.release()
      await Promise.race([Promise.allSettled(opened.map((replica) => replica.close())), pause(CLOSE_MS)])
      for (const link of links) await link.close()
    },
  }
}
