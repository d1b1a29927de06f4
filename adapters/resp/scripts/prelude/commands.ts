/** The beginning of the prelude: what it uses itself, `redis.call` and the rest of `redis`. */
export const COMMANDS: string = String.raw`
local host = ...
local type, tostring, tonumber, error, pcall, select = type, tostring, tonumber, error, pcall, select
local pairs, next, setmetatable, getmetatable, rawset, loadstring, unpack = pairs, next, setmetatable, getmetatable, rawset, loadstring, unpack
local format, char, byte, sub, find, gsub = string.format, string.char, string.byte, string.sub, string.find, string.gsub
local concat, floor, randomseed = table.concat, math.floor, math.randomseed

local READONLY = 'Attempt to modify a readonly table'
local frozen = setmetatable({}, { __mode = 'k' })

local function freeze(inner)
  local proxy = setmetatable({}, {
    __index = inner,
    __newindex = function() error(READONLY, 2) end,
    __metatable = false,
  })
  frozen[proxy] = true
  return proxy
end

-- Commands -------------------------------------------------------------------------------------

local redis = {
  REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.versionNumber,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_SLAVE = 1, REPL_REPLICA = 1, REPL_AOF = 2, REPL_ALL = 3,
}
redis.call, redis.pcall = host.call, host.pcall

function redis.error_reply(text)
  if type(text) ~= 'string' then error('wrong number or type of arguments', 2) end
  text = gsub(text, '^-', '')
  return { err = find(text, ' ', 1, true) and text or 'ERR ' .. text }
end

function redis.status_reply(text)
  if type(text) ~= 'string' then error('wrong number or type of arguments', 2) end
  return { ok = text }
end

function redis.sha1hex(...)
  if select('#', ...) ~= 1 then error('wrong number of arguments', 2) end
  return host.sha1(tostring((...)))
end

function redis.setresp(version)
  if version ~= 2 and version ~= 3 then error('RESP version must be 2 or 3.', 0) end
  host.setresp(version)
end

function redis.log(level, ...)
  if type(level) ~= 'number' or level < 0 or level > 3 then error('Invalid log level.', 2) end
  local words = {}
  for i = 1, select('#', ...) do words[i] = tostring((select(i, ...))) end
  host.log(level, concat(words, ' '))
end

function redis.replicate_commands() return 1 end
function redis.breakpoint() return false end

function redis.set_repl(kind)
  if kind ~= 3 then error('what a script writes always reaches the other replicas: only redis.REPL_ALL is there', 2) end
end
`
