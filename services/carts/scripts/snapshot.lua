-- A checkout takes the prices that the buyer has seen: what was heard since then waits until somebody looks.

local ref = find(request.cart)
if not ref then return NOT_FOUND end
return answer(ref)
