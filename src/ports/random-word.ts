import type { Env } from './env.ts'

/** 32 random bits. */
export function randomWord(env: Pick<Env, 'random'>): number {
  return env.random(4).reduce((value, byte) => value * 256 + byte, 0)
}

/** A random number from 0 to below 1. */
export function randomShare(env: Pick<Env, 'random'>): number {
  return randomWord(env) / 2 ** 32
}
