/**
 * What scripts find: the libraries of Redis in Lua, over a few functions of the host. It runs once for
 * each state and returns what the host calls. Every table of a library is behind a proxy that cannot be
 * written, so that a script leaves nothing to the next one.
 *
 * `io`, `os`, `package` and `debug` are never opened. Of the base library what reaches files, binary chunks,
 * environments and the collector is taken away.
 */
export const PRELUDE: string = String.raw`
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
  return { err = (gsub(text, '^-', '')) }
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
  if version ~= 2 and version ~= 3 then error('RESP version must be 2 or 3.', 2) end
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

-- JSON, as lua-cjson writes and reads it ---------------------------------------------------------

local null = host.null
local DEPTH_MAX = 1000
local ESCAPES = { ['"'] = '\\"', ['\\'] = '\\\\', ['/'] = '\\/', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t' }
local function escape(c) return ESCAPES[c] or format('\\u%04x', byte(c)) end
local function quoted(text) return '"' .. gsub(text, '[%c"\\/\127]', escape) .. '"' end

local function jsonNumber(value)
  if value ~= value or value == 1 / 0 or value == -1 / 0 then
    error('Cannot serialise number: must not be NaN or Inf', 0)
  end
  return format('%.14g', value)
end

-- The greatest index if every key is one, nil otherwise.
local function lengthOf(value)
  local greatest, count = 0, 0
  for key in next, value do
    if type(key) ~= 'number' or key < 1 or key ~= floor(key) then return nil end
    if key > greatest then greatest = key end
    count = count + 1
  end
  return greatest, count
end

local function write(value, out, depth)
  local kind = type(value)
  if kind == 'string' then out[#out + 1] = quoted(value)
  elseif kind == 'number' then out[#out + 1] = jsonNumber(value)
  elseif kind == 'boolean' then out[#out + 1] = tostring(value)
  elseif value == nil or value == null then out[#out + 1] = 'null'
  elseif kind ~= 'table' then error('Cannot serialise ' .. kind .. ': type not supported', 0)
  else
    if depth > DEPTH_MAX then error('Cannot serialise, excessively nested', 0) end
    local length, count = lengthOf(value)
    if length ~= nil and length > 0 then
      if length > 10 and length > count * 2 then error('Cannot serialise table: excessively sparse array', 0) end
      for i = 1, length do
        out[#out + 1] = i == 1 and '[' or ','
        write(value[i], out, depth + 1)
      end
      out[#out + 1] = ']'
    else
      local mark = '{'
      for key, inner in next, value do
        if type(key) == 'number' then key = jsonNumber(key)
        elseif type(key) ~= 'string' then error('Cannot serialise ' .. type(key) .. ': table key must be a number or string', 0) end
        out[#out + 1] = mark
        out[#out + 1] = quoted(key)
        out[#out + 1] = ':'
        write(inner, out, depth + 1)
        mark = ','
      end
      out[#out + 1] = mark == '{' and '{}' or '}'
    end
  end
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64) end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

local PLAIN = { b = '\b', f = '\f', n = '\n', r = '\r', t = '\t', ['"'] = '"', ['\\'] = '\\', ['/'] = '/' }

local function expected(what, at) error('Expected ' .. what .. ' but found invalid token at character ' .. at, 0) end

local function readString(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = find(text, '["\\%c]', from)
    if stop == nil then expected('string', at) end
    parts[#parts + 1] = sub(text, from, stop - 1)
    local c = sub(text, stop, stop)
    if c == '"' then return concat(parts), stop + 1 end
    if c ~= '\\' then expected('string', stop) end
    c = sub(text, stop + 1, stop + 1)
    from = stop + 2
    if c == 'u' then
      local code = find(text, '^%x%x%x%x', from) and tonumber(sub(text, from, from + 3), 16)
      if not code then error('Found invalid unicode escape code at character ' .. stop, 0) end
      from = from + 4
      if code >= 0xD800 and code < 0xDC00 then
        local low = find(text, '^\\u%x%x%x%x', from) and tonumber(sub(text, from + 2, from + 5), 16)
        if not low or low < 0xDC00 or low > 0xDFFF then error('Found invalid unicode escape code at character ' .. stop, 0) end
        code = 0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00)
        from = from + 6
      end
      parts[#parts + 1] = utf8(code)
    elseif PLAIN[c] then parts[#parts + 1] = PLAIN[c]
    else error('Found invalid escape code at character ' .. stop, 0) end
  end
end

local WORDS = { t = { 'true', true }, f = { 'false', false }, n = { 'null', null } }

local function skip(text, at) return (find(text, '[^ \t\r\n]', at)) or #text + 1 end

local read
local function readArray(text, at, depth)
  local array, count = {}, 0
  at = skip(text, at + 1)
  if byte(text, at) == 93 then return array, at + 1 end
  while true do
    count = count + 1
    array[count], at = read(text, at, depth)
    at = skip(text, at)
    local c = byte(text, at)
    if c == 93 then return array, at + 1 end
    if c ~= 44 then expected('comma or array end', at) end
    at = skip(text, at + 1)
  end
end

local function readObject(text, at, depth)
  local object = {}
  at = skip(text, at + 1)
  if byte(text, at) == 125 then return object, at + 1 end
  while true do
    if byte(text, at) ~= 34 then expected('object key string', at) end
    local key
    key, at = readString(text, at)
    at = skip(text, at)
    if byte(text, at) ~= 58 then expected('colon', at) end
    object[key], at = read(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local c = byte(text, at)
    if c == 125 then return object, at + 1 end
    if c ~= 44 then expected('comma or object end', at) end
    at = skip(text, at + 1)
  end
end

function read(text, at, depth)
  if depth > DEPTH_MAX then error('Found too many nested data structures (' .. DEPTH_MAX + 1 .. ')', 0) end
  local c = sub(text, at, at)
  if c == '"' then return readString(text, at) end
  if c == '{' then return readObject(text, at, depth + 1) end
  if c == '[' then return readArray(text, at, depth + 1) end
  local word = WORDS[c]
  if word and sub(text, at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
  local _, stop = find(text, '^-?%d+%.?%d*[eE]?[-+]?%d*', at)
  local number = stop and tonumber(sub(text, at, stop))
  if number == nil then expected('value', at) end
  return number, stop + 1
end

-- Faults name the line of the script.
local function told(run)
  return function(...)
    local ok, result = pcall(run, ...)
    if not ok then error(result, 2) end
    return result
  end
end

local cjson = { null = null }
cjson.encode = told(function(...)
  if select('#', ...) ~= 1 then error("bad argument #1 to 'encode' (expected 1 argument)", 0) end
  local out = {}
  write((...), out, 1)
  return concat(out)
end)
cjson.decode = told(function(text)
  if type(text) == 'number' then text = tostring(text) end
  if type(text) ~= 'string' then error("bad argument #1 to 'decode' (string expected)", 0) end
  local value, at = read(text, skip(text, 1), 0)
  at = skip(text, at)
  if at <= #text then expected('the end', at) end
  return value
end)

-- MessagePack ------------------------------------------------------------------------------------

local function big(value, bytes)
  local out = {}
  for i = bytes, 1, -1 do
    out[i] = char(value % 256)
    value = floor(value / 256)
  end
  return concat(out)
end

local function headed(length, small, smallMax, one, two, four)
  if length <= smallMax then return char(small + length) end
  if one and length < 256 then return char(one, length) end
  if length < 65536 then return char(two) .. big(length, 2) end
  return char(four) .. big(length, 4)
end

local function packNumber(value)
  if value ~= floor(value) or value >= 2 ^ 63 or value < -2 ^ 63 then return char(0xcb) .. host.fromDouble(value) end
  if value >= 0 then
    if value < 128 then return char(value) end
    if value < 256 then return char(0xcc, value) end
    if value < 65536 then return char(0xcd) .. big(value, 2) end
    if value < 2 ^ 32 then return char(0xce) .. big(value, 4) end
    return char(0xcf) .. big(value, 8)
  end
  if value >= -32 then return char(256 + value) end
  if value >= -128 then return char(0xd0, 256 + value) end
  if value >= -32768 then return char(0xd1) .. big(65536 + value, 2) end
  if value >= -2 ^ 31 then return char(0xd2) .. big(2 ^ 32 + value, 4) end
  return char(0xd3) .. host.fromWhole(value)
end

local NESTED_MAX = 16
local function pack(value, out, depth)
  local kind = type(value)
  if kind == 'string' then
    out[#out + 1] = headed(#value, 0xa0, 31, 0xd9, 0xda, 0xdb)
    out[#out + 1] = value
  elseif kind == 'number' then out[#out + 1] = packNumber(value)
  elseif kind == 'boolean' then out[#out + 1] = char(value and 0xc3 or 0xc2)
  elseif kind ~= 'table' or depth > NESTED_MAX then out[#out + 1] = char(0xc0)
  else
    local length, count = lengthOf(value)
    if length ~= nil and length == count then
      out[#out + 1] = headed(length, 0x90, 15, nil, 0xdc, 0xdd)
      for i = 1, length do pack(value[i], out, depth + 1) end
    else
      count = 0
      for _ in next, value do count = count + 1 end
      out[#out + 1] = headed(count, 0x80, 15, nil, 0xde, 0xdf)
      for key, inner in next, value do
        pack(key, out, depth + 1)
        pack(inner, out, depth + 1)
      end
    end
  end
end

local function whole(text, at, bytes)
  if at + bytes - 1 > #text then error('Missing bytes in input.', 0) end
  local value = 0
  for i = at, at + bytes - 1 do value = value * 256 + byte(text, i) end
  return value
end

local function piece(text, at, length)
  if at + length - 1 > #text then error('Missing bytes in input.', 0) end
  return sub(text, at, at + length - 1), at + length
end

local open
local function openArray(text, at, count, depth)
  local array = {}
  for i = 1, count do array[i], at = open(text, at, depth) end
  return array, at
end

local function openMap(text, at, count, depth)
  local map = {}
  for _ = 1, count do
    local key, value
    key, at = open(text, at, depth)
    value, at = open(text, at, depth)
    if key ~= nil then map[key] = value end
  end
  return map, at
end

function open(text, at, depth)
  if depth > DEPTH_MAX then error('Bad data format in input.', 0) end
  local c = byte(text, at)
  if c == nil then error('Missing bytes in input.', 0) end
  at = at + 1
  if c < 0x80 then return c, at end
  if c < 0x90 then return openMap(text, at, c - 0x80, depth + 1) end
  if c < 0xa0 then return openArray(text, at, c - 0x90, depth + 1) end
  if c < 0xc0 then return piece(text, at, c - 0xa0) end
  if c >= 0xe0 then return c - 256, at end
  if c == 0xc0 then return nil, at end
  if c == 0xc2 then return false, at end
  if c == 0xc3 then return true, at end
  if c == 0xca or c == 0xcb then
    local bytes = c == 0xca and 4 or 8
    local raw
    raw, at = piece(text, at, bytes)
    return host.toDouble(raw), at
  end
  if c >= 0xcc and c <= 0xcf then
    local bytes = 2 ^ (c - 0xcc)
    return whole(text, at, bytes), at + bytes
  end
  if c >= 0xd0 and c <= 0xd3 then
    local bytes = 2 ^ (c - 0xd0)
    local value = whole(text, at, bytes)
    if byte(text, at) >= 128 then
      if bytes == 8 then value = host.toWhole(sub(text, at, at + 7)) else value = value - 256 ^ bytes end
    end
    return value, at + bytes
  end
  local bytes = (c == 0xc4 or c == 0xd9) and 1 or (c == 0xc5 or c == 0xda or c == 0xdc or c == 0xde) and 2 or 4
  if c == 0xc4 or c == 0xc5 or c == 0xc6 or c == 0xd9 or c == 0xda or c == 0xdb then
    return piece(text, at + bytes, whole(text, at, bytes))
  end
  if c == 0xdc or c == 0xdd then return openArray(text, at + bytes, whole(text, at, bytes), depth + 1) end
  if c == 0xde or c == 0xdf then return openMap(text, at + bytes, whole(text, at, bytes), depth + 1) end
  error('Bad data format in input.', 0)
end

local cmsgpack = {}
cmsgpack.pack = told(function(...)
  local count = select('#', ...)
  if count == 0 then error('MessagePack pack needs input.', 0) end
  local out = {}
  for i = 1, count do pack((select(i, ...)), out, 1) end
  return concat(out)
end)
function cmsgpack.unpack(text)
  local values, count = {}, 0
  local ok, fault = pcall(function()
    if type(text) ~= 'string' then error("bad argument #1 to 'unpack' (string expected)", 0) end
    local at = 1
    while at <= #text do
      count = count + 1
      values[count], at = open(text, at, 0)
    end
  end)
  if not ok then error(fault, 2) end
  return unpack(values, 1, count)
end

-- Bits -------------------------------------------------------------------------------------------

local bit = {}
for _, name in pairs({ 'tobit', 'bnot', 'bswap', 'band', 'bor', 'bxor', 'lshift', 'rshift', 'arshift', 'rol', 'ror', 'tohex' }) do
  local run = host.bit[name]
  bit[name] = function(...)
    local count = select('#', ...)
    if count == 0 then error("bad argument #1 to '" .. name .. "' (number expected, got no value)", 2) end
    for i = 1, count do
      if type(tonumber((select(i, ...)))) ~= 'number' then
        error("bad argument #" .. i .. " to '" .. name .. "' (number expected, got " .. type((select(i, ...))) .. ')', 2)
      end
    end
    return run(...)
  end
end

-- The world of scripts -----------------------------------------------------------------------------

local function textual(code)
  if type(code) == 'string' and byte(code) == 27 then return nil, 'binary chunks are refused' end
  return true
end

local globals = {
  _VERSION = _VERSION, assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next,
  pairs = pairs, pcall = pcall, rawequal = rawequal, rawget = rawget, select = select, setmetatable = setmetatable,
  tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
  loadstring = function(code, name)
    local ok, fault = textual(code)
    if not ok then return nil, fault end
    return loadstring(code, name)
  end,
  load = function(reader, name)
    local parts = {}
    while true do
      local part = reader()
      if part == nil or part == '' then break end
      parts[#parts + 1] = part
    end
    local code = concat(parts)
    local ok, fault = textual(code)
    if not ok then return nil, fault end
    return loadstring(code, name or '=(load)')
  end,
  rawset = function(inner, key, value)
    if frozen[inner] then error(READONLY, 2) end
    return rawset(inner, key, value)
  end,
}
string.dump = nil
local texts = getmetatable('')
texts.__index = string
texts.__metatable = false
local libraries = {
  string = string, table = table, math = math, coroutine = coroutine,
  redis = redis, server = redis, cjson = cjson, cmsgpack = cmsgpack, bit = bit,
}
local world = _G
for name in pairs(world) do rawset(world, name, nil) end
for name, value in pairs(globals) do rawset(world, name, value) end
for name, library in pairs(libraries) do rawset(world, name, freeze(library)) end
rawset(world, '_G', world)
frozen[world] = true
setmetatable(world, {
  __index = function(_, name) error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2) end,
  __newindex = function() error(READONLY, 2) end,
  __metatable = false,
})

-- Each script draws the same numbers, as in Redis.
return function() randomseed(0) end
`
