/** `cjson`, as lua-cjson 2 writes and reads JSON (M. Pulford). Behind `COMMANDS`. */
export const JSON_LIBRARY: string = String.raw`-- JSON, as lua-cjson writes and reads it ---------------------------------------------------------

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
`
