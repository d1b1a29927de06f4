/**
 * What is done in Redis, each in one script, which nothing interrupts. KEYS: the value, which other
 * clients may read and write as they are used to, and the hash with meta `m` and token `t`.
 */
import { createHash } from 'node:crypto'

export interface Script {
  readonly source: string
  readonly digest: string
}

export function script(source: string): Script {
  return { source, digest: createHash('sha1').update(source).digest('hex') }
}

/**
 * Value, meta and token of one moment: read apart, an old value could come with the meta of a new
 * one. A name that holds another type has no row; a write to it is rejected.
 */
export const READ: Script = script(`local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
  if not string.find(value.err, 'WRONGTYPE') then return value end
  value = false
end
local side = redis.call('HMGET', KEYS[2], 'm', 't')
return {value, side[1], side[2]}`)

/**
 * ARGV: the token and the value that are expected, whether a value is; the new value, whether there
 * is one, meta, token, and after how many milliseconds a tombstone goes. Answers 1, or 0 with the
 * row that is there.
 */
export const COMPARE_AND_SET: Script = script(`local before = redis.call('GET', KEYS[1])
local side = redis.call('HMGET', KEYS[2], 'm', 't')
local exists = before and '1' or '0'
if (before or '') ~= ARGV[2] or exists ~= ARGV[3] or (side[2] or '') ~= ARGV[1] then
  return {0, before, side[1], side[2]}
end
if ARGV[5] == '1' then redis.call('SET', KEYS[1], ARGV[4]) else redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[2], 'm', ARGV[6], 't', ARGV[7])
if ARGV[5] == '0' and ARGV[8] ~= '0' then
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
else
  redis.call('PERSIST', KEYS[2])
end
return {1}`)

/** ARGV: the token. Answers 1 if it was a tombstone with this token, which is gone now. */
export const PURGE: Script = script(`if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('HGET', KEYS[2], 't') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])`)
