-- Make a line hold so many units. A sku that is not in the cart yet comes in with a quote, or one is asked for.

local ref = find(request.cart)
if not ref then return NOT_FOUND end
local cart, sku, quantity = read(ref), request.sku, request.quantity
local line, changed = cart.lines[sku], false

if line and quantity == 0 then
  drop_line(cart, sku)
  changed = true
elseif line and (line.quantity ~= quantity or line.price_changed) then
  line.quantity, line.price_changed = quantity, nil
  write_line(cart, sku, line)
  changed = true
elseif not line and quantity > 0 then
  if cart.line_count >= MAX_LINES then return TOO_MANY_LINES end
  local quote = request.quote
  if not quote then return {'quote_needed'} end
  if cart.line_count == 0 then cart.currency = quote.currency end
  if cart.currency ~= quote.currency then return MIXED_CURRENCIES end
  append_line(cart, sku,
    {title = quote.title, quantity = quantity, unit_price = quote.amount, seen = mark_of(sku)})
  changed = true
end
return show(cart, changed and CART_CHANGED)
