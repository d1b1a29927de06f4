/** `cmsgpack`, as lua-cmsgpack packs and unpacks MessagePack (S. Sanfilippo). Behind `JSON_LIBRARY`. */
export const MESSAGE_PACK_LIBRARY: string = String.raw`-- MessagePack ------------------------------------------------------------------------------------

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
  if value ~= floor(value) or value >= 2 ^ 63 or value < -2 ^ 63 then
    local bytes = host.fromDouble(value)
    return char(#bytes == 4 and 0xca or 0xcb) .. bytes
  end
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
`
