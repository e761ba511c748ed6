-- What is heard of the catalog and the stock, and how a cart catches up with it when its buyer looks.

-- Names what was heard last of a sku in the catalog; nil when nothing was.
local function mark_of(sku)
  return redis.call('HGET', ARTICLE:format(sku), 'mark') or nil
end

-- A price in another currency than the cart's is not taken over: only the buyer can decide what goes.
local function follow(cart, line, removed, price, currency)
  if removed then
    if line.gone then return false end
    line.gone = true
    return true
  end
  if currency ~= cart.currency then return false end
  local was_gone, old_price = line.gone, line.unit_price
  line.gone, line.unit_price = nil, tonumber(price)
  if line.unit_price ~= old_price then line.price_changed = true end
  return was_gone or line.unit_price ~= old_price
end

-- Bring every line up to what was heard since it was last looked at. Answers whether that changed the cart, and
-- of which skus fewer can be had than it holds.
local function catch_up(cart)
  local changed, scarce = false, {}
  for sku, line in pairs(cart.lines) do
    local mark, removed, price, currency, available = unpack(redis.call('HMGET', ARTICLE:format(sku),
      'mark', 'removed', 'price', 'currency', 'available'))
    if mark and mark ~= line.seen then
      line.seen = mark
      changed = follow(cart, line, removed, price, currency) or changed
      write_line(cart, sku, line)
    end
    if available and tonumber(available) < line.quantity then
      scarce[#scarce + 1] = sku
      scarce[#scarce + 1] = available
    end
  end
  return changed, scarce
end

-- How every cart is shown to its buyer; an event type says that the script changed it before.
local function show(cart, event_type, facts)
  local changed, scarce = catch_up(cart)
  if event_type or changed then commit(cart, event_type or CART_CHANGED, facts) end
  return answer(cart.ref, scarce)
end
