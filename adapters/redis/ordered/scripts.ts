/**
 * What is done with a log in Redis, each in one script, which nothing interrupts. Every one looks first
 * whether it still is the log that the caller means, and has the record that it saw last.
 *
 * KEYS: the log (a hash: `identity`, `partitions`, `last:<partition>`), the records of the partition (a
 * stream), its snapshot (a hash). ARGV: the identity, the partition, place and id of the record that is
 * to be there (0 for none), and what the script needs.
 *
 * The id of an entry in the stream is `<place>-<time>`: places are whole numbers without holes, and
 * the time is the server's when the record was taken. Fields: `i` the record's id, `b` its bytes.
 */
import { script, type Script } from '../store/scripts.ts'

const BEGIN = `local function placeOf(entry) return tonumber(string.match(entry[1], '^%d+')) end
local function shown(number) return string.format('%.0f', number) end
if redis.call('HGET', KEYS[1], 'identity') ~= ARGV[1] then return {'broken', 'the log is gone, or another one'} end
local last = tonumber(redis.call('HGET', KEYS[1], 'last:' .. ARGV[2]) or '0')
local head = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local first = head and placeOf(head) or last + 1
local kept = tonumber(redis.call('HGET', KEYS[3], 'offset') or '0')
local seen = tonumber(ARGV[3])
if seen > last then return {'broken', 'it ends at ' .. shown(last) .. ', and had a record ' .. ARGV[3]} end
if seen >= first then
  local entry = redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3])[1]
  if not entry then return {'broken', 'the record ' .. ARGV[3] .. ' is gone'} end
  if entry[2][2] ~= ARGV[4] then return {'broken', 'the record ' .. ARGV[3] .. ' is another one'} end
end
`

/** KEYS: the log. ARGV: identity and partitions, if it is made now. Answers with those that it has. */
export const OPEN: Script = script(`if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'partitions', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'identity', 'partitions')`)

/** ARGV: the record's id, its bytes, the channel on which followers are woken. */
export const APPEND: Script = script(`${BEGIN}local now = redis.call('TIME')
local time = now[1] .. string.format('%03d', math.floor(tonumber(now[2]) / 1000))
local place = shown(last + 1)
redis.call('XADD', KEYS[2], place .. '-' .. time, 'i', ARGV[5], 'b', ARGV[6])
redis.call('HSET', KEYS[1], 'last:' .. ARGV[2], place)
redis.call('PUBLISH', ARGV[7], ARGV[2])
return {'done', place}`)

/** A server that is no primary refuses the command that writes nothing. KEYS: a fourth one, never there. */
export const BARRIER: Script = script(`${BEGIN}redis.call('DEL', KEYS[4])
return {'done', shown(last)}`)

/** ARGV: how many bytes may come, or a little more. */
export const READ: Script = script(`${BEGIN}if seen < first - 1 then
  if first - 1 <= kept then return {'trimmed', shown(first)} end
  return {'broken', 'records up to ' .. shown(first - 1) .. ' are gone, and no snapshot has them'}
end
local found, bytes, from, place = {'done'}, 0, ARGV[3] .. '-18446744073709551615', seen
while bytes < tonumber(ARGV[5]) and #found < 3000 do
  local some = redis.call('XRANGE', KEYS[2], '(' .. from, '+', 'COUNT', 16)
  if #some == 0 then break end
  for _, entry in ipairs(some) do
    if placeOf(entry) ~= place + 1 then
      if #found > 1 then return found end
      return {'broken', 'the record ' .. shown(place + 1) .. ' is gone'}
    end
    place = place + 1
    found[#found + 1] = entry[1]
    found[#found + 1] = entry[2][2]
    found[#found + 1] = entry[2][4]
    bytes = bytes + #entry[2][4]
  end
  from = some[#some][1]
end
return found`)

/** The seen record is the snapshot's last one. KEYS: its pieces. ARGV: how many, and their bytes. */
export const KEEP: Script =
  script(`${BEGIN}if ARGV[5] ~= '0' and redis.call('HLEN', KEYS[4]) ~= tonumber(ARGV[5]) then return {'gone'} end
if kept > seen then
  redis.call('UNLINK', KEYS[4])
  return {'done'}
end
local before = redis.call('HGET', KEYS[3], 'pieces')
if before and before ~= KEYS[4] then redis.call('UNLINK', before) end
redis.call('HSET', KEYS[3], 'offset', ARGV[3], 'id', ARGV[4], 'pieces', KEYS[4], 'count', ARGV[5], 'bytes', ARGV[6])
redis.call('PERSIST', KEYS[4])
return {'done'}`)

/** ARGV: the first place that is to be kept. */
export const TRIM: Script = script(`${BEGIN}if tonumber(ARGV[5]) > kept + 1 then return {'far', shown(kept)} end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[5])
return {'done'}`)

export const SCRIPTS: readonly Script[] = [OPEN, APPEND, BARRIER, READ, KEEP, TRIM]
