-- Add another cart to the caller's own and leave a tombstone of it, which a late settlement follows.
-- A sku that is in both keeps the title and the price that it has in the caller's own cart.

local mine = find_mine()
local other = request.other
if other == mine then return show(read(mine)) end
if redis.call('HGET', CART:format(other), 'merged_into') == mine then return show(read(mine)) end
if not find(other) then return NOT_FOUND end

local target, source = read(mine), read(other)
local added = {}
for sku, line in pairs(source.lines) do
  if not target.lines[sku] then added[#added + 1] = sku end
end
if target.line_count + #added > MAX_LINES then return TOO_MANY_LINES end
if target.line_count == 0 then target.currency = source.currency end
if source.line_count > 0 and source.currency ~= target.currency then return MIXED_CURRENCIES end

for sku, line in pairs(source.lines) do
  local held = target.lines[sku]
  if held then
    held.quantity = math.min(MAX_QUANTITY, held.quantity + line.quantity)
    write_line(target, sku, held)
  end
end
table.sort(added, function(a, b) return source.lines[a].position < source.lines[b].position end)
for _, sku in ipairs(added) do append_line(target, sku, source.lines[sku]) end

redis.call('DEL', CART:format(other))
redis.call('HSET', CART:format(other), 'merged_into', mine)
redis.call('EXPIRE', CART:format(other), IDLE_SECONDS)
redis.call('EXPIRE', SETTLED:format(other), IDLE_SECONDS)
redis.call('ZREM', WATCHED, other)
return show(target, CART_MERGED, {merged = other})
