local ref = find(request.cart)
if not ref then return NOT_FOUND end
return show(read(ref))
