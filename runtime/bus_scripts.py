"""What the bus does in one atomic step, in Lua on the server itself."""

# A shard was begun on the server whose id its marker holds; another one may lack what this one had.
_THIS_SERVER = "local this_server = redis.call('INFO', 'server'):match('run_id:(%w+)')"
# KEYS: a shard's marker.
BEGIN = f"{_THIS_SERVER} redis.call('SET', KEYS[1], this_server)"
# KEYS: markers.
IS_BEGUN = f"""
{_THIS_SERVER}
for _, marker in ipairs(KEYS) do
  if redis.call('GET', marker) ~= this_server then return 0 end
end
return 1
"""
# KEYS: a stream and its shard's marker. ARGV: how long it may be, then type, subject and body of each event.
PUBLISH = f"""
{_THIS_SERVER}
if redis.call('GET', KEYS[2]) ~= this_server then return -1 end
local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1])
local sent = 0
for at = 2, #ARGV, 3 do
  if sent >= room then break end
  redis.call('XADD', KEYS[1], '*', 'type', ARGV[at], 'subject', ARGV[at + 1], 'body', ARGV[at + 2])
  sent = sent + 1
end
return sent
"""
# KEYS: the shards' leases. ARGV: the holder, and for how many milliseconds.
LEASE = """
local answer = {}
for at, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  answer[at] = not holder and 'new' or holder == ARGV[1] and 'kept' or 'taken'
  if answer[at] ~= 'taken' then redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
end
return answer
"""
# KEYS: a lease. ARGV: the holder.
GIVE_UP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
