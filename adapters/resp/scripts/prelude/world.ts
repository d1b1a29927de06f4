/** `bit`, and then the world of scripts: which names they find, none of which they can change. Behind the libraries. */
export const WORLD: string = String.raw`-- Bits -------------------------------------------------------------------------------------------

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
  string = string, table = table, math = math,
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
