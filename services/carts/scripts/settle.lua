-- Take what an order bought out of the cart, or out of the one that it was merged into, once per order.

local DONE = {'done'}
local ref, order = request.cart, request.order_id

local function is_settled(cart_ref)
  return redis.call('SISMEMBER', SETTLED:format(cart_ref), order) == 1
end

if is_settled(ref) then return DONE end
local merged_into = redis.call('HGET', CART:format(ref), 'merged_into')
if merged_into then
  ref = merged_into
  if is_settled(ref) then return DONE end
end
if not is_live(ref) then return DONE end

local cart = read(ref)
for sku, bought in pairs(request.bought) do
  local line = cart.lines[sku]
  if line and line.quantity > bought then
    line.quantity = line.quantity - bought
    write_line(cart, sku, line)
  elseif line then
    drop_line(cart, sku)
  end
end
for sku, line in pairs(cart.lines) do
  if line.price_changed then
    line.price_changed = nil
    write_line(cart, sku, line)
  end
end
-- The generation belongs to the cart that was bought from; the one that it was merged into sells on.
if not merged_into and cart.generation == request.generation then cart.generation = cart.generation + 1 end

redis.call('SADD', SETTLED:format(ref), order)
redis.call('EXPIRE', SETTLED:format(ref), IDLE_SECONDS)
commit(cart, CART_SETTLED, {order_id = order})
keep_alive(ref)
return DONE
