-- Remember how many of a sku can be had, unless something newer is known.

local article = ARTICLE:format(request.sku)
local known = redis.call('HGET', article, 'stock_sequence')
if known and request.sequence <= tonumber(known) then return {'known'} end

redis.call('HSET', article, 'available', request.available, 'stock_sequence', request.sequence)
redis.call('EXPIRE', article, IDLE_SECONDS)
return {'done'}
