-- Take over the prices that differ and mark what is no longer sold.

local ref = find(request.cart)
if not ref then return NOT_FOUND end
local cart, changed = read(ref), {}

for sku, price in pairs(request.prices) do
  local line = cart.lines[sku]
  if line then
    if price.currency ~= cart.currency then return MIXED_CURRENCIES end
    if line.unit_price ~= price.amount then
      line.unit_price, line.price_changed = price.amount, true
      changed[sku] = line
    end
    if line.gone then
      line.gone = nil
      changed[sku] = line
    end
  end
end
for _, sku in ipairs(request.gone) do
  local line = cart.lines[sku]
  if line and not line.gone then
    line.gone = true
    changed[sku] = line
  end
end

if next(changed) then
  for sku, line in pairs(changed) do
    -- Fresher than what was heard so far, which must not undo it when the buyer looks.
    line.seen = mark_of(sku)
    write_line(cart, sku, line)
  end
  commit(cart, CART_CHANGED)
end
return answer(ref)
