import type { Env } from './env.ts'

/** 32 random bits. */
export function randomWord(env: Env): number {
  return env.random(4).reduce((value, byte) => value * 256 + byte, 0)
}
