-- What every script begins with: finding a cart, reading it, writing it together with its event.

local request = cjson.decode(ARGV[1])

local NOT_FOUND = {'not_found'}
local TOO_MANY_LINES = {'too_many_lines'}
local MIXED_CURRENCIES = {'mixed_currencies'}

-- False for a cart that never was, for one that expired, and for one that was merged away.
local function is_live(ref)
  return redis.call('HEXISTS', CART:format(ref), 'version') == 1
end

-- Reads write only when it is worth it: a life is prolonged once an hour, not with every look.
local function keep_alive(ref)
  if redis.call('TTL', CART:format(ref)) > IDLE_SECONDS - 3600 then return end
  redis.call('EXPIRE', CART:format(ref), IDLE_SECONDS)
  redis.call('EXPIRE', SETTLED:format(ref), IDLE_SECONDS)
  local owner = redis.call('HGET', CART:format(ref), 'owner')
  if owner then redis.call('EXPIRE', CUSTOMER:format(owner), IDLE_SECONDS) end
end

-- A new cart of the caller, who may be nobody; it becomes `mine` for a customer who has none.
local function create()
  local ref, owner = request.fresh.ref, request.caller
  redis.call('HSET', CART:format(ref), 'currency', DEFAULT_CURRENCY, 'version', 0, 'generation', 0,
    'created_at', request.now)
  redis.call('EXPIRE', CART:format(ref), IDLE_SECONDS)
  if owner then
    -- Only a customer's cart has to be found without its id, and its id alone opens nothing.
    redis.call('HSET', CART:format(ref), 'owner', owner, 'id', request.fresh.id)
    local current = redis.call('GET', CUSTOMER:format(owner))
    if not current or not is_live(current) then
      redis.call('SET', CUSTOMER:format(owner), ref, 'EX', IDLE_SECONDS)
    end
  end
  return ref
end

local function find_mine()
  local ref = redis.call('GET', CUSTOMER:format(request.caller))
  if ref and is_live(ref) then return ref end
  return create()
end

-- The cart that the request names, its caller's own when it names none; nil when the caller may not use it.
local function find(ref)
  if not ref then return find_mine() end
  if not is_live(ref) then return nil end
  local owner = redis.call('HGET', CART:format(ref), 'owner')
  if owner and owner ~= request.caller then return nil end
  return ref
end

local function read(ref)
  local cart = {ref = ref, lines = {}, line_count = 0, last_position = 0}
  local fields = redis.call('HGETALL', CART:format(ref))
  for at = 1, #fields, 2 do
    local name, value = fields[at], fields[at + 1]
    if name:sub(1, #LINE_PREFIX) == LINE_PREFIX then
      local line = cjson.decode(value)
      cart.lines[name:sub(#LINE_PREFIX + 1)] = line
      cart.line_count = cart.line_count + 1
      cart.last_position = math.max(cart.last_position, line.position)
    else
      cart[name] = value
    end
  end
  cart.version, cart.generation = tonumber(cart.version), tonumber(cart.generation)
  return cart
end

local function write_line(cart, sku, line)
  cart.lines[sku] = line
  redis.call('HSET', CART:format(cart.ref), LINE_PREFIX .. sku, cjson.encode(line))
end

local function append_line(cart, sku, line)
  cart.line_count, cart.last_position = cart.line_count + 1, cart.last_position + 1
  line.position = cart.last_position
  write_line(cart, sku, line)
end

local function drop_line(cart, sku)
  cart.lines[sku], cart.line_count = nil, cart.line_count - 1
  redis.call('HDEL', CART:format(cart.ref), LINE_PREFIX .. sku)
end

local function lines_told(cart)
  local lines = {}
  for sku, line in pairs(cart.lines) do
    lines[#lines + 1] = {sku = sku, title = line.title, quantity = line.quantity, position = line.position,
      unit_price = {amount = line.unit_price, currency = cart.currency}}
  end
  table.sort(lines, function(a, b) return a.position < b.position end)
  for _, line in ipairs(lines) do line.position = nil end
  return lines
end

-- The next version, and the event that tells of it under that sequence.
local function tell(cart, event_type, facts)
  cart.version = cart.version + 1
  redis.call('HSET', CART:format(cart.ref), 'version', cart.version, 'generation', cart.generation,
    'currency', cart.currency, 'changed_at', cart.changed_at)
  local data = facts or {}
  data.owner, data.currency = cart.owner or cjson.null, cart.currency
  data.version, data.generation, data.lines = cart.version, cart.generation, lines_told(cart)
  local event = cjson.encode({
    id = request.event_id, type = event_type, source = '/micromart/carts', subject = cart.ref,
    sequence = cart.version, time = request.now, traceparent = request.traceparent, data = data,
  })
  -- Lua has one empty table for the empty list and the empty object.
  if #data.lines == 0 then event = event:gsub('"lines":{}', '"lines":[]') end
  redis.call('XADD', OUTBOX, '*', EVENT_FIELD, event)
end

-- Every change ends here. A customer's cart with something in it is watched from then on.
local function commit(cart, event_type, facts)
  cart.changed_at = request.now
  tell(cart, event_type, facts)
  if not cart.owner then return end
  if cart.line_count > 0 then
    redis.call('ZADD', WATCHED, request.moment, cart.ref)
  else
    redis.call('ZREM', WATCHED, cart.ref)
  end
end

-- `scarce` is a list of skus and of how many can be had of each.
local function answer(ref, scarce)
  keep_alive(ref)
  return {'cart', redis.call('HGETALL', CART:format(ref)), scarce or {}}
end
