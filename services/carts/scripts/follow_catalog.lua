-- Remember what skus cost, or that they are sold no more, unless something newer is known.

-- Sequences order what is said of one product. A sku that moved to another one was free by then, so between two
-- products time does; in a tie it is sold.
local function is_news(article, removed)
  local product, sequence, moment = unpack(redis.call('HMGET', article,
    'product_id', 'catalog_sequence', 'catalog_moment'))
  if not product then return true end
  if product == request.product_id then return request.sequence > tonumber(sequence) end
  local later = request.said_at - tonumber(moment)
  return later > 0 or (later == 0 and not removed)
end

local function remember(article)
  redis.call('HSET', article, 'product_id', request.product_id, 'catalog_sequence', request.sequence,
    'catalog_moment', request.said_at, 'mark', ('%s:%d'):format(request.product_id, request.sequence))
  redis.call('EXPIRE', article, IDLE_SECONDS)
end

for sku, price in pairs(request.prices) do
  local article = ARTICLE:format(sku)
  if is_news(article, false) then
    redis.call('HSET', article, 'price', price.amount, 'currency', price.currency)
    redis.call('HDEL', article, 'removed')
    remember(article)
  end
end
for _, sku in ipairs(request.removed) do
  local article = ARTICLE:format(sku)
  if is_news(article, true) then
    redis.call('HSET', article, 'removed', 1)
    remember(article)
  end
end
return {'done'}
