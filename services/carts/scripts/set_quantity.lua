-- Make a line hold so many units. A sku that is not in the cart yet comes in with a quote, or one is asked for.

local ref = find(request.cart)
if not ref then return NOT_FOUND end
local cart, sku, quantity = read(ref), request.sku, request.quantity
local line = cart.lines[sku]

if line and quantity == 0 then
  drop_line(cart, sku)
  commit(cart, CART_CHANGED)
elseif line and (line.quantity ~= quantity or line.price_changed) then
  line.quantity, line.price_changed = quantity, nil
  write_line(cart, sku, line)
  commit(cart, CART_CHANGED)
elseif not line and quantity > 0 then
  if cart.line_count >= MAX_LINES then return TOO_MANY_LINES end
  local quote = request.quote
  if not quote then return {'quote_needed'} end
  if cart.line_count == 0 then cart.currency = quote.currency end
  if cart.currency ~= quote.currency then return MIXED_CURRENCIES end
  append_line(cart, sku, {title = quote.title, quantity = quantity, unit_price = quote.amount})
  commit(cart, CART_CHANGED)
end
return answer(ref)
