-- Tell of watched carts that were not changed after that moment, as many as there are ids for events; each is
-- watched again from its next change on. The telling is no change: it prolongs no life and starts no new wait.

local refs = redis.call('ZRANGE', WATCHED, '-inf', request.idle_since, 'BYSCORE', 'LIMIT', 0, #request.event_ids)
for at, ref in ipairs(refs) do
  redis.call('ZREM', WATCHED, ref)
  if is_live(ref) then
    local cart = read(ref)
    request.event_id = request.event_ids[at]
    tell(cart, CART_ABANDONED, {idle_since = cart.changed_at})
  end
end
return {'told', #refs}
